# SPDX-License-Identifier: Apache-2.0
# Removes what the last `cmake --install` of this build put down, then sealpack's folders left empty.
if(NOT EXISTS ${MANIFEST})
  message(FATAL_ERROR "nothing was installed from this build: ${MANIFEST} is missing")
endif()
file(STRINGS ${MANIFEST} installed)
foreach(file IN LISTS installed)
  set(file $ENV{DESTDIR}${file})
  file(REMOVE ${file})
  cmake_path(GET file PARENT_PATH folder)
  # From inside include/sealpack, libexec/sealpack, lib/cmake/sealpack or share/doc/*sealpack* up to
  # that folder.
  while(folder MATCHES "/(include|cmake|doc|libexec)/(lib)?sealpack(-dev|-loader[0-9]+|-key-sources[0-9]+)?(/|$)" AND IS_DIRECTORY ${folder})
    file(GLOB left LIST_DIRECTORIES ON ${folder}/*)
    if(left)
      break()
    endif()
    file(REMOVE_RECURSE ${folder})
    cmake_path(GET folder PARENT_PATH folder)
  endwhile()
endforeach()
list(LENGTH installed count)
file(REMOVE ${MANIFEST})
message(STATUS "removed ${count} files")
