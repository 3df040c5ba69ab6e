# Compile with Zig's Clang (`pip install ziglang`), which has the headers and symbols of every glibc and processor.
# ZIG is the program; CHAINRULE_TARGET names processor and glibc, such as aarch64-linux-gnu.2.17.
set(CMAKE_SYSTEM_NAME Linux)
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "$ENV{CHAINRULE_TARGET}")
set(CMAKE_CXX_COMPILER "$ENV{ZIG}" c++)
set(CMAKE_CXX_COMPILER_TARGET "$ENV{CHAINRULE_TARGET}")
set(CMAKE_CXX_ARCHIVE_CREATE "\"$ENV{ZIG}\" ar qc <TARGET> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
# Under the stable ABI Python.h does not include stdio.h, on which nanobind's headers rely; neither does this C++ library.
set(CMAKE_CXX_FLAGS_INIT "-include stdio.h")
