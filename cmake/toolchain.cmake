# Warnings, sanitizers, and the tools that keep a build on two cores quick.
add_library(openarchiver_options INTERFACE)
target_compile_options(openarchiver_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)

option(OPENARCHIVER_WERROR "Treat warnings as errors" OFF)
if(OPENARCHIVER_WERROR)
    target_compile_options(openarchiver_options INTERFACE -Werror)
endif()

set(OPENARCHIVER_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")
if(OPENARCHIVER_SANITIZE)
    add_compile_options(-fsanitize=${OPENARCHIVER_SANITIZE} -fno-omit-frame-pointer
                        -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${OPENARCHIVER_SANITIZE})
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
    add_link_options(-fuse-ld=mold)
endif()
