"""A stand-in for tools/train.py that trains nothing: the same arguments, logs, checkpoints, resuming and failures."""

import runpy
import sys
import time
import zipfile
from pathlib import Path

cfg = runpy.run_path(sys.argv[1])
folder = Path(sys.argv[sys.argv.index('--work-dir') + 1])
if cfg.get('breaks'):
    print('error: the loss is nan: lower the learning rate')
    raise SystemExit(1)
pointer = folder / 'last_checkpoint'
first = int(Path(pointer.read_text()).stem.removeprefix('epoch_')) + 1 if pointer.is_file() else 1
epochs = cfg['train_cfg']['max_epochs']
hold = Path(
    'hold'
)  # 'target 3': wait in the third epoch of the runs of the config 'target' while the file says so
for epoch in range(first, epochs + 1):
    while hold.is_file() and hold.read_text() == f'{folder.parts[-3]} {epoch}':
        time.sleep(0.05)
    print(
        f'2026/01/01 00:00:00 - mmengine - INFO - Epoch(train)  [{epoch}][10/10]  lr: 1.0e-03  eta: 0:00:01',
        flush=True,
    )
    checkpoint = folder / f'epoch_{epoch}.pth'
    with zipfile.ZipFile(checkpoint, 'w') as file:
        file.writestr('trained', f'{first}..{epoch}')
    pointer.write_text(str(checkpoint))
