#!/usr/bin/env bash
# Two hosts train one network; one of them is cut off and comes back, and the run ends as if nothing had happened.
#
#   sudo tests/scripts/two_hosts.sh          needs root and iproute2, about 3 minutes; python must have segapp
#
# The hosts are network namespaces joined by a virtual cable. The cable is pulled without a word to anybody: no
# connection is reset, so only time-outs can notice. The process group gives up after 30 s, torchrun starts the
# processes of the first host again, which wait for the second; its torchrun, started again by a loop as systemd or
# Kubernetes would, joins when the cable is back. Both resume from last.ckpt of their job.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to make network namespaces"; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
python=$(command -v python)
epochs=${EPOCHS:-8} timeout=${TIMEOUT:-0:00:30}
work=$(mktemp -d)
cd "$work"
one=segapp-one-$$ two=segapp-two-$$ # the namespaces
pids=()

tidy() {
  for pid in "${pids[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
  sleep 1
  for pid in "${pids[@]}"; do kill -9 -- "-$pid" 2>/dev/null || true; done
  for space in "$one" "$two"; do ip netns del "$space" 2>/dev/null || true; done
  rm -rf "$work"
}
trap tidy EXIT
fail() { echo "FAIL: $*"; tail -n 40 host?.log; exit 1; }
say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

ip netns add "$one"
ip netns add "$two"
ip link add sa1 netns "$one" type veth peer name sa2 netns "$two"
ip -n "$one" addr add 10.77.0.1/24 dev sa1
ip -n "$two" addr add 10.77.0.2/24 dev sa2
for end in "$one lo" "$one sa1" "$two lo" "$two sa2"; do ip -n "${end% *}" link set "${end#* }" up; done
joined() { timeout 2 ip netns exec "$two" bash -c 'exec 3<>/dev/tcp/10.77.0.1/29400' 2>/dev/null; }

# The same command on every host, as docs/scale.md shows it. Real hosts have names, by which the first one knows that the
# rendezvous is its own; these are told.
host() { # NUMBER NAMESPACE IS_HOST
  ip netns exec "$2" env GLOO_SOCKET_IFNAME="sa$1" OMP_NUM_THREADS=1 PYTHONPATH="$root" \
    "$python" -m torch.distributed.run --nnodes 2 --nproc_per_node 1 --max_restarts 20 --local_addr "10.77.0.$1" \
    --rdzv_backend c10d --rdzv_endpoint 10.77.0.1:29400 --rdzv_id two-hosts --rdzv_conf "is_host=$3" \
    -m segapp fit --config "$root/tests/tiny.yaml" --trainer.max_epochs "$epochs" \
    --trainer.strategy lightning.pytorch.strategies.DDPStrategy --trainer.strategy.init_args.timeout "$timeout"
}
watched() { until host "$@"; do sleep 2; done; }
set -m # every host is a process group of its own
watched 1 "$one" true >host1.log 2>&1 & pids+=($!)
watched 2 "$two" false >host2.log 2>&1 & pids+=($!)
set +m

run=runs/tiny/two-hosts
rows() { if [ -f "$run/metrics.csv" ]; then tail -n +2 "$run/metrics.csv" | wc -l; else echo 0; fi; }
await() { # ROWS SECONDS
  local until=$((SECONDS + $2))
  while [ "$(rows)" -lt "$1" ]; do
    [ "$SECONDS" -lt "$until" ] || fail "only $(rows) epochs after $2 s"
    sleep 0.2
  done
}

await 2 180
joined || fail "the hosts do not see each other"
ip -n "$two" link set sa2 down
cut=$SECONDS done_before=$(rows)
say "cut off after $done_before epochs"
joined && fail "the cable is not cut"
while ! grep -q "failed (exitcode" host1.log; do
  [ $((SECONDS - cut)) -lt 90 ] || fail "the first host still hangs 90 s after the cut"
  sleep 0.2
done
say "noticed by the first host after $((SECONDS - cut)) s"
[ "$(rows)" -lt "$epochs" ] || fail "the run had ended before it was cut; give more EPOCHS"
ip -n "$two" link set sa2 up
say "back"

await "$epochs" 300
for pid in "${pids[@]}"; do wait "$pid" || fail "a host ended with $?"; done
say "both hosts are done"
grep -q "resuming from $run/checkpoints/last.ckpt" host1.log host2.log || fail "no host resumed from the last checkpoint"
[ "$(ls runs/tiny)" = two-hosts ] || fail "there is more than one run: $(ls runs/tiny)"
expected=$(seq 1 "$epochs" | tr '\n' ' ')
found=$(tail -n +2 "$run/metrics.csv" | cut -d, -f1 | tr '\n' ' ')
[ "$found" = "$expected" ] || fail "epochs $found instead of $expected"
"$python" - "$run/checkpoints/last.ckpt" "$epochs" <<'CHECK' || fail "last.ckpt is not that of the last epoch"
import sys
import torch
last = torch.load(sys.argv[1], weights_only=True)
print(f"last.ckpt: epoch {last['epoch']}, step {last['global_step']}")
sys.exit(last["epoch"] != int(sys.argv[2]) - 1)
CHECK
say "PASS: epochs $found, each once"
