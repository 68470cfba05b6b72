// What a reader would see of the report, told to the frame around it (test_page.py).
const all = selector => [...document.querySelectorAll(selector)];
const size = element => { const box = element.getBoundingClientRect(); return [box.width, box.height]; };
const rgb = text => text.match(/[\d.]+/g).map(Number).slice(0, 3);
const light = colour => {
  const [r, g, b] = colour.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const background = element => {
  for (let e = element; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (colour !== 'rgba(0, 0, 0, 0)' && colour !== 'transparent') return rgb(colour);
  }
};
const contrast = selector => {
  const element = document.querySelector(selector);
  const [a, b] = [light(rgb(getComputedStyle(element).color)), light(background(element))];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
};
const boxes = () => all('.scroll').filter(box => box.scrollWidth > box.clientWidth).length;

function look() {
  const root = document.documentElement, width = innerWidth;
  const images = all('img').map(image =>
    ({alt: image.alt, natural: [image.naturalWidth, image.naturalHeight], shown: size(image)}));
  const pictures = all('.pictures :is(img, small)').map(e => e.getBoundingClientRect());
  const columns = all('.pictures td').map(td => getComputedStyle(td, '::before').content.replace(/"/g, ''));
  const ids = all('[id]').map(e => e.id);
  const references = all('*').flatMap(e => [...e.attributes]).flatMap(({name, value}) =>
    /(^|:)href$/.test(name) ? [value] : [...value.matchAll(/url\(([^)]*)\)/g)].map(m => m[1].replace(/["']/g, '')));
  const plots = all('.plots svg');
  const letters = plots.flatMap(svg => [...svg.querySelectorAll('text')].map(text =>
    parseFloat(getComputedStyle(text).fontSize) * size(svg)[0] / svg.viewBox.baseVal.width));
  const table = document.querySelector('table');
  const names = () => [...table.tBodies[0].rows].map(row => row.cells[0].firstChild.textContent.trim());
  const directions = [], sorted = [0, 1, 1].map(column => {
    table.tHead.rows[0].cells[column].querySelector('button').click();
    directions.push(table.tHead.rows[0].cells[column].getAttribute('aria-sort'));
    return names();
  });
  return {
    problems, width, images, sorted, directions, columns,
    places: pictures.map(box => [box.left, box.right]),
    captions: all('.pictures small').map(e => e.textContent),
    paper: rgb(getComputedStyle(document.body).backgroundColor)[0],
    overflow: root.scrollWidth - root.clientWidth,
    outside: all('section > *').filter(e => e.getBoundingClientRect().right > width).map(e => e.outerHTML.slice(0, 80)),
    scrolling: boxes(),
    plots: plots.map(size), letters: Math.min(...letters),
    references: references.length,
    dangling: references.filter(name => !name.startsWith('#') || !ids.includes(name.slice(1))),
    doubled: ids.filter((id, i) => ids.indexOf(id) !== i),
    contrasts: {ink: contrast('td'), muted: contrast('td small'), bad: contrast('.bad, .missing'), verdict: contrast('.verdict')},
  };
}

// Pictures far below are loaded late; the page is looked at when all are there.
all('img').forEach(image => { image.loading = 'eager'; });
addEventListener('load', () => parent.postMessage(JSON.stringify(look()), '*'));
