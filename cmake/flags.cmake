# Compiler and linker flags: warnings, hardening, sanitizers.

add_library(bearerd_flags INTERFACE)
target_compile_definitions(bearerd_flags INTERFACE _GNU_SOURCE BEARERD_VERSION="${PROJECT_VERSION}")
target_include_directories(bearerd_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(
  bearerd_flags
  INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
            -Wformat=2 -Wvla -Wcast-qual -Wnull-dereference -Wimplicit-fallthrough -Wswitch-enum
            -Wundef -Wwrite-strings -fstack-protector-strong)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(
    bearerd_flags INTERFACE -Wduplicated-cond -Wduplicated-branches -Wlogical-op
                            -fstack-clash-protection -fcf-protection -ftrivial-auto-var-init=zero)
endif()
if(BEARERD_WERROR)
  target_compile_options(bearerd_flags INTERFACE -Werror)
endif()

if(BEARERD_SANITIZE)
  target_compile_options(bearerd_flags INTERFACE -fsanitize=${BEARERD_SANITIZE}
                                                 -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(bearerd_flags INTERFACE -fsanitize=${BEARERD_SANITIZE})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(bearerd_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
if(BEARERD_FUZZ)
  target_compile_options(bearerd_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_link_options(bearerd_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
