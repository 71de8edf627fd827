"""The C engine of the codec is optional: where it cannot be built, the install succeeds and Python serves."""

from glob import glob

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "exi._native",
            sources=sorted(glob("src/native/*.c")),
            depends=sorted(glob("src/native/*.h")),
            extra_compile_args=["-O2", "-Wall", "-Wextra"],
            optional=True,
        )
    ]
    if glob("src/native/*.c")
    else []
)
