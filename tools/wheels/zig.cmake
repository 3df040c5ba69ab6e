# Compile with Zig's Clang (`pip install ziglang`) for a Linux of any processor and any glibc from 2.17 on.
# ZIG is the program; CHAINRULE_TARGET is Zig's name of the target, such as aarch64-linux-gnu.2.17.
set(CMAKE_SYSTEM_NAME Linux)
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "$ENV{CHAINRULE_TARGET}")
set(CMAKE_CXX_COMPILER "$ENV{ZIG}" c++)
set(CMAKE_CXX_COMPILER_TARGET "$ENV{CHAINRULE_TARGET}")
set(CMAKE_CXX_ARCHIVE_CREATE "\"$ENV{ZIG}\" ar qc <TARGET> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
