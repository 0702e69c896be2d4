#!/usr/bin/env bash
# Some hosts, reached by name, that share the folder this is started in. On each of them the same line:
#
#   HEAD=host1 NODES=2 JOB=cells-1 docker/cluster/torchrun.sh
#
# HEAD is where the hosts meet (port 29400), NODES how many there are or a range such as 2:4, JOB any new name. When a
# host is lost the others wait for it, or within a range continue without it; all resume from last.ckpt. GPUS: processes per
# host, by default one per GPU.
set -euo pipefail
: "${HEAD:?the name of the host where they meet}" "${NODES:?how many hosts}" "${JOB:?a name for the job}"
exec torchrun --nnodes "$NODES" --nproc_per_node "${GPUS:-gpu}" --max_restarts 20 \
  --rdzv_backend c10d --rdzv_endpoint "$HEAD:29400" --rdzv_id "$JOB" \
  -m segapp fit --config configs/unet.yaml --name cluster --job "$JOB"
