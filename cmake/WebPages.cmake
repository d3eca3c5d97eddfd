# The pages of web/, built by esbuild into one HTML file each and embedded in the libraries that write them.
# Their packages are installed once into web/node_modules and again only when the lock file changes.
find_program(NODE node)
find_program(NPM npm)
if(NOT NODE OR NOT NPM)
  message(FATAL_ERROR "Witan's report page is built with Node.js and npm, which were not found. "
                      "On Debian: apt-get install nodejs npm")
endif()

set(web_root ${PROJECT_SOURCE_DIR}/web)
file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${web_root}/src/*)
set(web_packages ${PROJECT_BINARY_DIR}/web/packages.stamp)
add_custom_command(
  OUTPUT ${web_packages}
  COMMAND ${CMAKE_COMMAND} -DNPM=${NPM} -DFOLDER=${web_root} -DSTAMP=${web_packages}
          -P ${PROJECT_SOURCE_DIR}/cmake/InstallWebPackages.cmake
  DEPENDS ${web_root}/package.json ${web_root}/package-lock.json ${web_root}/.npmrc
          ${PROJECT_SOURCE_DIR}/cmake/InstallWebPackages.cmake
  COMMENT "Installing the packages of web/"
  VERBATIM)
add_custom_target(witan_web_packages DEPENDS ${web_packages})

# witan_embed_page(witan_report report report/page.h report_template) builds web/src/report into one HTML file and gives
# witan_report a function report_template() that returns it.
function(witan_embed_page target page header function)
  set(html ${PROJECT_BINARY_DIR}/web/${page}.html)
  set(source ${PROJECT_BINARY_DIR}/web/${page}_page.cc)
  add_custom_command(
    OUTPUT ${html}
    COMMAND ${NODE} ${web_root}/build.mjs ${page} ${html}
    DEPENDS ${web_sources} ${web_root}/build.mjs ${web_packages} witan_web_packages
    COMMENT "Building the ${page} page"
    VERBATIM)
  add_custom_command(
    OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${html} -DOUTPUT=${source} -DHEADER=${header} -DFUNCTION=${function}
            -P ${PROJECT_SOURCE_DIR}/cmake/EmbedFile.cmake
    DEPENDS ${html} ${PROJECT_SOURCE_DIR}/cmake/EmbedFile.cmake
    COMMENT "Embedding the ${page} page"
    VERBATIM)
  target_sources(${target} PRIVATE ${source})
  set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
