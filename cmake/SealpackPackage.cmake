# SPDX-License-Identifier: Apache-2.0
# What is installed, for whom, and as which Debian package. Components: `tool` (package sealpack),
# `loader` (package libsealpack-loader1: the shared library of the C interface), `keysources` (package
# libsealpack-key-sources1: brokers and machines, which need more libraries) and `dev` (package
# libsealpack-dev: libraries and headers for programs that open bundles).
include(CMakePackageConfigHelpers)
include(SealpackContents)

# sealpack_public(NAME headers...): installs the library and the headers that make up its interface.
# A header that is not listed here may change without notice.
function(sealpack_public name)
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/)
  target_sources(sealpack_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARGN})
  set_target_properties(sealpack_${name} PROPERTIES EXPORT_NAME ${name} VERIFY_INTERFACE_HEADER_SETS ON)
  install(TARGETS sealpack_${name} EXPORT sealpack COMPONENT dev
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sealpack COMPONENT dev)
endfunction()

sealpack_public(base
  formats/base/block_source.h formats/base/bytes.h formats/base/error.h formats/base/result.h)
sealpack_public(crypto
  keymgmt/crypto/hpke.h keymgmt/crypto/key_wrap.h keymgmt/crypto/private_key.h
  keymgmt/crypto/secret_bytes.h keymgmt/crypto/segment_cipher.h keymgmt/crypto/sha256.h
  keymgmt/crypto/signature.h)
sealpack_public(bundle
  formats/bundle/content.h formats/bundle/head.h formats/bundle/layout.h formats/bundle/limits.h
  formats/bundle/release.h formats/bundle/tree.h)
sealpack_public(slots keymgmt/slots/slots.h)
sealpack_public(safetensors formats/models/model.h formats/models/safetensors.h)
sealpack_public(unpacker_core
  unpacker/core/bundle.h unpacker/core/bundle_check.h unpacker/core/card_check.h
  unpacker/core/file_reader.h unpacker/core/trust.h)

# The loader behind its C interface: the shared library, and one archive of all it is made of.
set(visited "")
set(contents "")
sealpack_collect_contents(sealpack_loader_capi)
add_library(sealpack_loader_static STATIC)
add_library(sealpack::loader_static ALIAS sealpack_loader_static)
foreach(part IN LISTS visited)
  if(part MATCHES "^sealpack_")
    target_sources(sealpack_loader_static PRIVATE $<TARGET_OBJECTS:${part}>)
  endif()
endforeach()
set_target_properties(sealpack_loader_static PROPERTIES
  OUTPUT_NAME sealpack-loader EXPORT_NAME loader_static LINKER_LANGUAGE CXX)
target_include_directories(sealpack_loader_static INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime-loader/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set(loader_private_libraries "-lcrypto -lstdc++ -lm -lpthread")
target_link_libraries(sealpack_loader_static INTERFACE OpenSSL::Crypto Threads::Threads stdc++)
if(IPSEC_MB_LIBRARY AND SEALPACK_IPSEC_MB)
  target_link_libraries(sealpack_loader_static INTERFACE
    $<BUILD_INTERFACE:${IPSEC_MB_LIBRARY}> $<INSTALL_INTERFACE:IPSec_MB>)
  string(PREPEND loader_private_libraries "-lIPSec_MB ")
endif()
set_target_properties(sealpack_loader PROPERTIES EXPORT_NAME loader)
install(TARGETS sealpack_loader EXPORT sealpack
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT loader NAMELINK_COMPONENT dev)
install(TARGETS sealpack_loader_static EXPORT sealpack
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(FILES runtime-loader/include/sealpack/loader.h runtime-loader/include/sealpack/loader.hpp
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sealpack COMPONENT dev)
file(RELATIVE_PATH loader_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/sealpack-loader.pc.in ${PROJECT_BINARY_DIR}/sealpack-loader.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/sealpack-loader.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

if(TARGET sealpack_key_sources)
  set_target_properties(sealpack_key_sources PROPERTIES EXPORT_NAME key_sources)
  install(TARGETS sealpack_key_sources EXPORT sealpack
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT keysources NAMELINK_COMPONENT dev)
  install(FILES runtime-loader/include/sealpack/key_sources.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sealpack COMPONENT dev)
  configure_file(cmake/sealpack-key-sources.pc.in ${PROJECT_BINARY_DIR}/sealpack-key-sources.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/sealpack-key-sources.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
endif()

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/sealpack)
install(EXPORT sealpack FILE sealpackTargets.cmake NAMESPACE sealpack:: DESTINATION ${package_folder} COMPONENT dev)
configure_package_config_file(cmake/sealpackConfig.cmake.in ${PROJECT_BINARY_DIR}/sealpackConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sealpackConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sealpackConfig.cmake ${PROJECT_BINARY_DIR}/sealpackConfigVersion.cmake
  DESTINATION ${package_folder} COMPONENT dev)

set(doc_folder ${CMAKE_INSTALL_DATADIR}/doc)
install(FILES LICENSE RENAME copyright DESTINATION ${doc_folder}/libsealpack-dev COMPONENT dev)
install(FILES CHANGELOG.md DESTINATION ${doc_folder}/libsealpack-dev COMPONENT dev)
install(FILES LICENSE RENAME copyright DESTINATION ${doc_folder}/libsealpack-loader1 COMPONENT loader)
install(FILES CHANGELOG.md DESTINATION ${doc_folder}/libsealpack-loader1 COMPONENT loader)
if(TARGET sealpack_key_sources)
  install(FILES LICENSE RENAME copyright DESTINATION ${doc_folder}/libsealpack-key-sources1 COMPONENT keysources)
  install(FILES CHANGELOG.md DESTINATION ${doc_folder}/libsealpack-key-sources1 COMPONENT keysources)
endif()
if(TARGET sealpack)
  install(FILES LICENSE RENAME copyright DESTINATION ${doc_folder}/sealpack COMPONENT tool)
  install(FILES CHANGELOG.md DESTINATION ${doc_folder}/sealpack COMPONENT tool)
  install(FILES scripts/completion/sealpack.bash RENAME sealpack
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tool)
  # The manual pages are the tool's own help, so the tool has to run first.
  find_package(Python3 3.9 COMPONENTS Interpreter)
  if(Python3_FOUND)
    set(man_folder ${PROJECT_BINARY_DIR}/man)
    add_custom_command(OUTPUT ${man_folder}/sealpack.1.gz
      COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/scripts/make-man $<TARGET_FILE:sealpack> ${man_folder}
      DEPENDS sealpack scripts/make-man VERBATIM)
    add_custom_target(sealpack_man ALL DEPENDS ${man_folder}/sealpack.1.gz)
    install(DIRECTORY ${man_folder}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tool)
  else()
    message(STATUS "no Python 3.9: the manual pages are left out")
  endif()
endif()

add_custom_target(uninstall
  COMMAND ${CMAKE_COMMAND} -D MANIFEST=${PROJECT_BINARY_DIR}/install_manifest.txt
          -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake
  VERBATIM)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sealpack)
set(CPACK_PACKAGE_CONTACT "sealpack maintainers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL dev loader)
if(TARGET sealpack_key_sources)
  list(APPEND CPACK_COMPONENTS_ALL keysources)
endif()
if(TARGET sealpack)
  list(APPEND CPACK_COMPONENTS_ALL tool)
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_COMPONENT_TOOL_DESCRIPTION "Tool that seals machine-learning models into bundles for trusted execution
environments, and verifies, inspects and opens such bundles.")
set(CPACK_DEBIAN_TOOL_PACKAGE_NAME sealpack)
set(CPACK_DEBIAN_TOOL_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_TOOL_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_LOADER_DESCRIPTION "Shared library that opens sealpack bundles and runs the models in them, behind a
C interface.")
set(CPACK_DEBIAN_LOADER_PACKAGE_NAME libsealpack-loader1)
set(CPACK_DEBIAN_LOADER_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LOADER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LOADER_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_COMPONENT_KEYSOURCES_DESCRIPTION "Shared library that gets the keys of sealpack bundles from brokers, and proves to
them what machine it runs on.")
set(CPACK_DEBIAN_KEYSOURCES_PACKAGE_NAME libsealpack-key-sources1)
set(CPACK_DEBIAN_KEYSOURCES_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_KEYSOURCES_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_KEYSOURCES_PACKAGE_DEPENDS "libsealpack-loader1 (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_KEYSOURCES_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/runtime-loader/capi)
set(CPACK_COMPONENT_DEV_DESCRIPTION "Libraries and headers for programs that verify and open sealpack bundles.")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libsealpack-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libssl-dev (>= 3.0), libsealpack-loader1 (= ${PROJECT_VERSION})")
if(TARGET sealpack_key_sources)
  string(APPEND CPACK_DEBIAN_DEV_PACKAGE_DEPENDS ", libsealpack-key-sources1 (= ${PROJECT_VERSION})")
endif()
if(IPSEC_MB_LIBRARY AND SEALPACK_IPSEC_MB)
  string(APPEND CPACK_DEBIAN_DEV_PACKAGE_DEPENDS ", libipsec-mb-dev")
endif()
include(CPack)
