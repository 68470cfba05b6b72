#!/usr/bin/env bash
# Tests in several processes: one per GPU, or on the CPU where there is none.
# Usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]; for several machines set NNODES, NODE_RANK, MASTER_ADDR.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [arguments of test.py]" >&2
    exit 1
fi
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The Python on PATH if it has this package, else that of `make install`.
PYTHON=${PYTHON:-python}
HAS_PACKAGE='import importlib.util, sys; sys.exit(importlib.util.find_spec("attn_plugins") is None)'
if ! "$PYTHON" -c "$HAS_PACKAGE" 2>/dev/null && [ -x "$TOOLS/../.venv/bin/python" ]; then
    PYTHON="$TOOLS/../.venv/bin/python"
fi
exec "$PYTHON" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$3" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$TOOLS/test.py" "$1" "$2" --launcher pytorch "${@:4}"
