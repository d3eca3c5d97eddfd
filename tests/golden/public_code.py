"""Functions and classes taken out of a public file and run, without its imports. Nothing of them is written down."""

import __future__
import ast
import math
import subprocess
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import torch
import torch.nn.functional as functional
from torch import nn


def git(directory, *arguments):
    return subprocess.run(["git", "-C", directory, *arguments], check=True, capture_output=True, text=True).stdout


class Public:
    """Functions and classes out of one file of a clone's HEAD. `given` are names that they use and the file imports."""

    def __init__(self, repository, clone, file, wanted, **given):
        self.repository = repository
        self.file = file
        self.commit = git(clone, "rev-parse", "HEAD").strip()
        self.names = dict(given, torch=torch, nn=nn, F=functional, Module=nn.Module, math=math, Tensor=torch.Tensor)
        self.names.update(Any=Any, Callable=Callable, Dict=Dict, List=List, Optional=Optional, Tuple=Tuple, Union=Union)
        tree = ast.parse(git(clone, "show", f"HEAD:{file}"))
        for name in wanted:
            self._define(tree, name)

    def __getitem__(self, name):
        return self.names[name.rpartition(".")[2]]

    def origin(self, function):
        return {"repository": self.repository, "commit": self.commit, "file": self.file, "function": function}

    def _define(self, tree, path):
        """A class may be named alone, or one of its methods as Class.method: it is then a function of the file."""
        node = tree
        for name in path.split("."):
            named = (ast.FunctionDef, ast.ClassDef)
            node = next(child for child in node.body if isinstance(child, named) and child.name == name)
        node.decorator_list = []  # @torch.jit.script and @beartype change no result
        code = ast.Module(body=[node], type_ignores=[])
        flags = __future__.annotations.compiler_flag  # types are not evaluated
        exec(compile(code, self.file, "exec", flags=flags), self.names)


class Stub:
    """Replaces methods of torch for a while: random numbers become known ones."""

    def __init__(self, owner, name, replacement):
        self.owner, self.name, self.replacement = owner, name, replacement

    def __enter__(self):
        self.original = getattr(self.owner, self.name)
        setattr(self.owner, self.name, self.replacement)

    def __exit__(self, *_):
        setattr(self.owner, self.name, self.original)
