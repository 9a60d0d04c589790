"""PyInstaller's hook for `import wordsight`."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

from wordsight import HOMES

datas = collect_data_files("wordsight")
hiddenimports = [*HOMES.values(), *collect_submodules("wordsight.export")]  # both are imported by name
excludedimports = ["pandas"]  # for photo.to_df(): who calls it imports pandas
