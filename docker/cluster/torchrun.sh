#!/usr/bin/env bash
# For hosts that are reached by name and share the folder in which this is started. Run the same line on each of them:
#
#   HEAD=host1 NODES=2 JOB=cells-1 docker/cluster/torchrun.sh
#
# HEAD is the host where they meet (port 29400), NODES their number or a range such as 2:4, JOB a new name. GPUS is the number of
# processes per host, by default one per GPU.
# If a host is lost, the others wait for it. With a range they continue without it. All resume from last.ckpt.
set -euo pipefail
: "${HEAD:?the name of the host where they meet}" "${NODES:?how many hosts}" "${JOB:?a name for the job}"
exec torchrun --nnodes "$NODES" --nproc_per_node "${GPUS:-gpu}" --max_restarts 20 \
  --rdzv_backend c10d --rdzv_endpoint "$HEAD:29400" --rdzv_id "$JOB" \
  -m segapp fit --config configs/unet.yaml --name cluster --job "$JOB"
