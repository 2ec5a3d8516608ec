"""Stands in for torch (539 MB): TorchServe's worker imports it in one file and the toy handler does not use it."""


class Tensor:
    pass


__version__ = "0.0.0+stub"


def save(*_args, **_kwargs):
    raise RuntimeError("this torch is a stub")
