#!/usr/bin/env bash
# Builds the image and runs the usual commands in it, without a GPU and without a network:
#
#   docker/check.sh docker            or podman, or any command with the same options
#   docker/check.sh docker segapp     checks the image `segapp`, builds nothing
#   BASE=python:3.12-slim-trixie@sha256:... docker/check.sh docker     builds on exactly this base
#
# Every container has a read-only root, no capabilities and no network. fit and predict run as the image's user and as
# a user that the image does not know; the files they write must belong to them. Last, a training is stopped and
# resumed. About 3 minutes beside the build.
set -euo pipefail
cd "$(dirname "$0")/.."
engine=${1:?usage: docker/check.sh ENGINE [IMAGE]}
image=${2:-segapp:check}
folder=$(mktemp -d)
chmod 755 "$folder"
trap 'rm -rf "$folder"' EXIT

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAIL: %s\n' "$*"; exit 1; }
contained() { # USER OPTIONS... -- ARGUMENTS: one hardened container
  local user=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  "$engine" run --rm --user "$user" --network none --read-only --tmpfs /tmp:rw,mode=1777 \
    --tmpfs /cache:rw,mode=1777 --cap-drop ALL --security-opt no-new-privileges \
    ${options[@]+"${options[@]}"} "$image" "$@"
}

if [ $# -lt 2 ]; then
  say "build"
  started=$SECONDS
  "$engine" build ${BASE:+--build-arg "BASE=$BASE"} -f docker/Dockerfile -t "$image" .
  echo "built in $((SECONDS - started)) s"
fi

say "the image"
owner=$("$engine" image inspect --format '{{.Config.User}}' "$image")
[[ $owner =~ ^[1-9][0-9]*:[1-9][0-9]*$ ]] || fail "the image's user is '$owner', not a number other than 0"
"$engine" image inspect --format 'user {{.Config.User}}, {{.Size}} bytes' "$image"

say "it starts, and says how it is"
time contained "$owner" -- --version
contained "$owner" -- --help >"$folder/help.txt"
grep -q 'segapp <command>' "$folder/help.txt" || fail "without arguments it shows no help"
runs=(--tmpfs "/workspace/runs:rw,mode=1777")
contained "$owner" --shm-size 1g "${runs[@]}" -- doctor || fail "doctor finds a problem in a container that is sound"
contained "$owner" --shm-size 64m "${runs[@]}" -- doctor >"$folder/doctor.txt" || fail "doctor calls a warning a problem"
grep '^warning  shared memory.*--shm-size' "$folder/doctor.txt" || fail "doctor does not see Docker's 64 MB"
contained "$owner" --shm-size 1g -- doctor >"$folder/doctor.txt" && fail "doctor does not see that runs/ is read-only"
grep '^problem  runs.*Read-only' "$folder/doctor.txt" || fail "doctor does not say that runs/ is read-only"

tiny=(fit --config configs/unet.yaml --trainer.accelerator cpu --trainer.max_epochs 1 --trainer.limit_train_batches 3
  --data.num_workers 2 --data.batch_size 2 --data.crop 64 --data.window 64
  --data.source.init_args.size=64 --data.source.init_args.train=4 --data.source.init_args.val=2)

for user in "$owner" 4242:4242; do
  here=$folder/${user%:*}
  mkdir -p "$here"/{data,runs,masks}
  chmod 777 "$here"/{data,runs,masks}
  mounts=(-v "$here/data:/workspace/data" -v "$here/runs:/workspace/runs")

  say "fit with 2 workers as $user"
  time contained "$user" --shm-size 1g "${mounts[@]}" -- "${tiny[@]}"
  best=$(cd "$here" && ls runs/unet/*/checkpoints/best.ckpt)

  say "predict on a mounted folder as $user"
  images=$(cd "$here" && find data/cells -type d -name images | sort | head -1)
  [ -n "$images" ] || fail "fit left no images in data/cells"
  time contained "$user" -v "$here/runs:/workspace/runs:ro" -v "$here/$images:/workspace/images:ro" \
    -v "$here/masks:/workspace/masks" -- predict --ckpt_path "$best" --images images --output masks
  count=$(find "$here/$images" -type f | wc -l)
  [ "$(find "$here/masks/mask" -name "*.png" | wc -l)" = "$count" ] || fail "there are not $count masks for $count images"

  say "who owns what $user wrote"
  strangers=$(contained "$user" --entrypoint find "${mounts[@]}" -v "$here/masks:/workspace/masks" -- \
    data runs masks -mindepth 1 '(' '!' -uid "${user%:*}" -o '!' -gid "${user#*:}" ')')
  [ -z "$strangers" ] || fail "these are not $user's: $strangers"
  find "$here/masks" -name '*.png' -exec ls -ln {} + | head -3
done

say "stop, and go on"
here=$folder/stop
mkdir -p "$here"/{data,runs}
chmod 777 "$here"/{data,runs}
mounts=(-v "$here/data:/workspace/data" -v "$here/runs:/workspace/runs")
name=segapp-check-$$
contained "$owner" --name "$name" --shm-size 1g "${mounts[@]}" -- "${tiny[@]}" --job stop --trainer.max_epochs 1000 \
  >"$here/log" 2>&1 &
running=$!
for _ in $(seq 120); do [ -f "$here/runs/unet/stop/checkpoints/last.ckpt" ] && break; sleep 1; done
"$engine" stop -t 60 "$name" >/dev/null
code=0
wait "$running" || code=$?
echo "ended with $code"
[ "$code" != 137 ] || fail "it had to be killed: SIGTERM did not reach the training"
[ "$code" = 143 ] || fail "a training that SIGTERM stopped ends with 143, so that a scheduler can tell; it ended with $code"
! grep -q "worker .* killed" "$here/log" || fail "SIGTERM reached the loader's workers before the training could save"
contained "$owner" --shm-size 1g "${mounts[@]}" -- "${tiny[@]}" --job stop --trainer.max_epochs 1000 \
  --trainer.max_time 00:00:00:05 | tee "$here/log"
grep -q "going on from runs/unet/stop/checkpoints/last.ckpt" "$here/log" || fail "the same job does not go on"

say "PASS: $image"
