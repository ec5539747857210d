# What `cmake --install` installs besides the binary, and the Debian package that cpack makes of it.

set(BEARERD_MAINTAINER "The bearerd authors <bearerd@example.org>"
    CACHE STRING "Who maintains the package: Name <address>")
set(packaging ${PROJECT_BINARY_DIR}/packaging)

# gzip_file(SOURCE NAME): packaging/NAME.gz, the same bytes each time
function(gzip_file source name)
  file(MAKE_DIRECTORY ${packaging})
  execute_process(COMMAND gzip -9nc ${source} OUTPUT_FILE ${packaging}/${name}.gz
                  COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# ---- manual pages, by scdoc where there is one ----

find_program(SCDOC scdoc)
if(SCDOC AND TARGET bearerd AND NOT BEARERD_SANITIZE)
  set(man ${PROJECT_SOURCE_DIR}/config/man)
  add_custom_command(
    OUTPUT ${packaging}/bearerd.8.gz ${packaging}/bearerd.ini.5.gz
    COMMAND ${CMAKE_COMMAND} -E make_directory ${packaging}
    COMMAND ${SCDOC} < ${man}/bearerd.8.scd > ${packaging}/bearerd.8
    COMMAND ${man}/make-ini-page $<TARGET_FILE:bearerd> ${man}/bearerd.ini.5.scd >
            ${packaging}/bearerd.ini.5.scd
    COMMAND ${SCDOC} < ${packaging}/bearerd.ini.5.scd > ${packaging}/bearerd.ini.5
    COMMAND gzip -9nf ${packaging}/bearerd.8 ${packaging}/bearerd.ini.5
    DEPENDS bearerd ${man}/bearerd.8.scd ${man}/bearerd.ini.5.scd ${man}/make-ini-page
    VERBATIM)
  add_custom_target(manual ALL DEPENDS ${packaging}/bearerd.8.gz ${packaging}/bearerd.ini.5.gz)
  install(FILES ${packaging}/bearerd.8.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
  install(FILES ${packaging}/bearerd.ini.5.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
endif()

# ---- completions, which the binary writes out of its tables ----

if(TARGET bearerd AND NOT BEARERD_SANITIZE)
  add_custom_command(
    OUTPUT ${packaging}/bearerd.bash ${packaging}/_bearerd
    COMMAND ${CMAKE_COMMAND} -E make_directory ${packaging}
    COMMAND bearerd completion bash > ${packaging}/bearerd.bash
    COMMAND bearerd completion zsh > ${packaging}/_bearerd
    DEPENDS bearerd
    VERBATIM)
  add_custom_target(completions ALL DEPENDS ${packaging}/bearerd.bash ${packaging}/_bearerd)
  install(FILES ${packaging}/bearerd.bash RENAME bearerd
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  # what comes with the system has a folder of its own in Debian
  if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(zsh_folder vendor-completions)
  else()
    set(zsh_folder site-functions)
  endif()
  install(FILES ${packaging}/_bearerd DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${zsh_folder})
endif()

# ---- the rest ----

configure_file(config/systemd/bearerd.service.in ${packaging}/bearerd.service @ONLY)
install(FILES ${packaging}/bearerd.service config/systemd/bearerd.socket
        DESTINATION lib/systemd/system)
install(FILES README.md SECURITY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES config/bearerd.ini DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
# the guide and its example, where README.md's links lead
install(FILES config/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/config)
install(FILES config/examples/payment.cob DESTINATION ${CMAKE_INSTALL_DOCDIR}/config/examples)

# ---- what only the package has: `cmake --install` leaves /etc alone ----

configure_file(config/debian/changelog.in ${packaging}/changelog @ONLY)
gzip_file(${packaging}/changelog changelog.Debian)
gzip_file(${PROJECT_SOURCE_DIR}/CHANGELOG.md changelog)
set(only_debian COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES config/debian/bearerd.ini DESTINATION /etc/bearerd ${only_debian})
install(FILES ${packaging}/changelog.gz ${packaging}/changelog.Debian.gz
        DESTINATION ${CMAKE_INSTALL_DOCDIR} ${only_debian})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright ${only_debian})
file(WRITE ${packaging}/conffiles "/etc/bearerd/bearerd.ini\n")

set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS "${PROJECT_BINARY_DIR};bearerd;ALL;/"
                                 "${PROJECT_BINARY_DIR};bearerd;debian;/")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
                                                GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CONTACT ${BEARERD_MAINTAINER})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${packaging}/conffiles ${PROJECT_SOURCE_DIR}/config/debian/postinst
    ${PROJECT_SOURCE_DIR}/config/debian/prerm ${PROJECT_SOURCE_DIR}/config/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "A program that knows nothing of OAuth sends plain HTTP requests to bearerd. It
gets the token of the request's provider, keeps and renews it, puts it on the
request, and forwards the request over TLS to the provider's API.")
include(CPack)
