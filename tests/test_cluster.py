"""The files of docker/cluster start the same training, with options that exist, in manifests of the right shape."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch.distributed.run import get_args_parser

from segapp.cli import main

ROOT = Path(__file__).parents[1]
CLUSTER = ROOT / "docker" / "cluster"
FIT = ["fit", "--config", "configs/unet.yaml", "--name", "cluster", "--job", "cells-1"]

RECORDER = '#!/usr/bin/env bash\nprintf "%q " "$@" >>"$RECORD"\n'


def started_by(script: str, folder: Path, **environment: str) -> Any:
    """What a script calls torchrun with, read by torchrun's own parser; srun and scontrol are stand-ins."""
    programs = {
        "torchrun": RECORDER,
        "srun": '#!/usr/bin/env bash\nexec "$@"\n',
        "scontrol": '#!/usr/bin/env bash\n[ "$1 $2" = "show hostnames" ] && printf "node1\\nnode2\\n"\n',
    }
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    record = folder / "record"
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([CLUSTER / script], env={"PATH": path, "RECORD": str(record), **environment}, check=True, cwd=ROOT)
    return get_args_parser().parse_args(shlex.split(record.read_text()))


def job() -> dict[str, Any]:
    return yaml.safe_load((CLUSTER / "pytorchjob.yaml").read_text())


def pod() -> dict[str, Any]:
    return job()["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]


def test_torchrun_on_every_host(tmp_path):
    found = started_by("torchrun.sh", tmp_path, HEAD="host1", NODES="2:4", JOB="cells-1")
    assert (found.nnodes, found.nproc_per_node, found.max_restarts) == ("2:4", "gpu", 20)
    assert (found.rdzv_backend, found.rdzv_endpoint, found.rdzv_id) == ("c10d", "host1:29400", "cells-1")
    assert found.module
    assert [found.training_script, *found.training_script_args] == ["segapp", *FIT]


def test_torchrun_asks_for_what_it_needs(tmp_path):
    done = subprocess.run([CLUSTER / "torchrun.sh"], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert done.returncode != 0
    assert "the name of the host where they meet" in done.stderr


def test_slurm_starts_torchrun_on_every_node(tmp_path):
    slurm = {"SLURM_JOB_ID": "cells-1", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_NNODES": "2"}
    found = started_by("slurm.sbatch", tmp_path, **slurm, SLURM_GPUS_ON_NODE="8")
    assert (found.nnodes, found.nproc_per_node) == ("2", "8")
    assert (found.rdzv_endpoint, found.rdzv_id) == ("node1:29400", "cells-1")
    assert [found.training_script, *found.training_script_args] == ["segapp", *FIT]


def test_slurm_is_told_what_the_script_counts_on():
    text = (CLUSTER / "slurm.sbatch").read_text()
    head, _, body = text.partition("set -euo pipefail")
    options = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", head, re.MULTILINE))
    assert len(options) == head.count("#SBATCH")
    assert options["ntasks-per-node"] == "1"  # torchrun starts the others
    assert options["signal"] == "B:USR1@120"
    assert "requeue" in options and "trap 'scontrol requeue" in body
    assert options["open-mode"] == "append"  # a job that is queued again keeps its output
    assert "#SBATCH" not in body  # sbatch stops reading at the first command


def test_the_kubernetes_job_has_the_operators_shape():
    manifest = job()
    assert (manifest["apiVersion"], manifest["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", manifest["metadata"]["name"])
    spec = manifest["spec"]
    assert spec.keys() <= {"elasticPolicy", "nprocPerNode", "pytorchReplicaSpecs", "runPolicy"}
    assert spec["elasticPolicy"].keys() <= {
        "maxReplicas",
        "maxRestarts",
        "metrics",
        "minReplicas",
        "nProcPerNode",
        "rdzvBackend",
        "rdzvConf",
        "rdzvHost",
        "rdzvId",
        "rdzvPort",
        "standalone",
    }
    assert spec["pytorchReplicaSpecs"].keys() <= {"Master", "Worker"}
    for replica in spec["pytorchReplicaSpecs"].values():
        assert replica.keys() <= {"replicas", "restartPolicy", "template"}
        assert replica["restartPolicy"] in {"Always", "OnFailure", "Never", "ExitCode"}
        assert spec["elasticPolicy"]["minReplicas"] <= replica["replicas"] <= spec["elasticPolicy"]["maxReplicas"]
    assert isinstance(spec["nprocPerNode"], str)  # the operator's schema says so


def test_the_kubernetes_pods_can_run_it():
    (container,) = pod()["containers"]
    assert container["name"] == "pytorch"
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod()["volumes"]}
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"/workspace/data", "/workspace/runs", "/cache", "/tmp", "/dev/shm"} == mounted
    assert str(container["resources"]["limits"]["nvidia.com/gpu"]) == job()["spec"]["nprocPerNode"]
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    assert f"USER {pod()['securityContext']['runAsUser']}:{pod()['securityContext']['runAsGroup']}" in dockerfile


def test_the_kubernetes_job_has_one_name():
    (container,) = pod()["containers"]
    assert container["command"] == ["tini", "--", "torchrun"]
    assert container["args"] == ["-m", "segapp", *FIT]
    assert job()["metadata"]["name"] == job()["spec"]["elasticPolicy"]["rdzvId"] == FIT[-1]
    get_args_parser().parse_args(container["args"])


def test_ray_starts_the_same():
    tree = ast.parse((CLUSTER / "ray_train.py").read_text())
    (command,) = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    words = ast.literal_eval(command)
    assert [FIT[-1] if word == "$JOB" else word for word in words] == FIT


def test_the_command_is_one_that_segapp_understands(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main([*FIT, "--print_config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["job"] == FIT[-1]


@pytest.mark.parametrize("path", sorted(CLUSTER.glob("*.*")), ids=lambda path: path.name)
def test_a_file_opens_with_the_command_that_uses_it(path):
    assert f"docker/cluster/{path.name}" in "".join(path.read_text().splitlines(keepends=True)[:5])


A_WORKER_AS_RAY_MAKES_IT = """
import os, runpy, sys, types
import torch.distributed as dist

for name, members in {"ray": (), "ray.train": ("FailureConfig", "RunConfig", "ScalingConfig"),
                      "ray.train.torch": ("TorchConfig", "TorchTrainer")}.items():
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(dict.fromkeys(members))
rank, store, script, *arguments = sys.argv[1:]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=int(rank), world_size=2)
os.environ.update(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE="2", LOCAL_WORLD_SIZE="2", NODE_RANK="0",
                  MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
runpy.run_path(script)["train"]({"folder": os.getcwd(), "job": "j", "arguments": arguments})
"""


@pytest.mark.slow
def test_a_worker_of_ray_trains_in_the_group_that_ray_made(tmp_path):
    fit = ["fit", "--config", str(ROOT / "tests" / "tiny.yaml"), "--trainer.max_epochs", "1", "--job", "j"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", A_WORKER_AS_RAY_MAKES_IT, rank, tmp_path / "store", CLUSTER / "ray_train.py", *fit],
            cwd=tmp_path,
            env=environment,
        )
        for rank in ("0", "1")
    ]
    assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    assert sorted(path.name for path in tmp_path.glob("runs/tiny/j/checkpoints/*")) == ["best.ckpt", "last.ckpt"]
