# Run as a script: installs the packages of web/ from its lock file, unless that very lock file is installed already
# (by another preset, or by hand), so that only the first build needs the network.
file(SHA256 ${FOLDER}/package-lock.json lock)
set(installed ${FOLDER}/node_modules/.installed-lock)
set(have "")
if(EXISTS ${installed})
  file(READ ${installed} have)
endif()
if(NOT have STREQUAL lock)
  execute_process(COMMAND ${NPM} ci --no-progress --loglevel=error WORKING_DIRECTORY ${FOLDER} RESULT_VARIABLE status
                  OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "npm ci failed in ${FOLDER} (the first build needs the npm registry, later ones do not):\n${output}")
  endif()
  file(WRITE ${installed} ${lock})
endif()
file(TOUCH ${STAMP})
