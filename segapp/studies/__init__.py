"""Ablations: from one YAML to many ordinary runs that differ by what is varied and nothing else."""

from segapp.studies.config import Arm, Contrast, Study, read_study
from segapp.studies.jobs import Job, plan_jobs
from segapp.studies.queue import run_all

__all__ = ["Arm", "Contrast", "Job", "Study", "plan_jobs", "read_study", "run_all"]
