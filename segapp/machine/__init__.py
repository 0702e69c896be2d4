"""What this machine, or the container we are in, gives us; `segapp doctor` judges it.

`limits` is usable everywhere: nothing here imports torch, which `facts` does.
"""

from segapp.machine.limits import usable_cores

__all__ = ["usable_cores"]
