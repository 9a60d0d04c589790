"""PyInstaller's hook for `import wordsight`."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

from wordsight import HOMES

# Of rapidocr only the models are used, which are found beside its __init__: that is a file here, not a module, so that
# the engines that it can run on (PyTorch among them) stay out.
datas = collect_data_files("wordsight")
datas += collect_data_files("rapidocr", include_py_files=True, includes=["__init__.py", "models/*.onnx"])
hiddenimports = [*HOMES.values(), *collect_submodules("wordsight.export")]  # both are imported by name
excludedimports = ["pandas"]  # for photo.to_df(): who calls it imports pandas
