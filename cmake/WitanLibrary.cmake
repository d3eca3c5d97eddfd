# One static library per folder of src/, which may only see the folders it names: the staircase of docs/architecture.md.

# witan_library(kernels base PRIVATE_LIBS PkgConfig::HWY) makes witan_kernels from src/kernels/**/*.cc on top of witan_base.
# HOT: what it computes decides the speed of whole runs, so it is optimised as far as the compiler goes.
# COLD: it directs what the folders below it compute, or was measured to be as fast so; it is optimised less, which takes
# the compiler less time.
function(witan_library folder)
  cmake_parse_arguments(ARG "HOT;COLD" "" "PRIVATE_LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.cc)
  set(target witan_${folder})
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE ${ARG_PRIVATE_LIBS})
    if(ARG_HOT)
      target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O3>)
    elseif(ARG_COLD)
      target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
    endif()
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  foreach(dependency ${ARG_UNPARSED_ARGUMENTS})
    target_link_libraries(${target} ${scope} witan_${dependency})
  endforeach()
endfunction()

# In a build that joins sources, joins the named kernels (sources that Highway compiles once per instruction set) with one
# another: half of the time that a small one takes is Highway's headers. A kernel that is never named stands alone.
function(witan_join_kernels folder group)
  list(TRANSFORM ARGN REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/src/${folder}/\\1.cc" OUTPUT_VARIABLE sources)
  set_source_files_properties(${sources} PROPERTIES UNITY_GROUP ${group})
endfunction()

# The rest of a folder with kernels: joins the sources that are none with one another, and lets Highway find what is joined.
function(witan_join_rest folder)
  set(target witan_${folder})
  set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
  # Highway includes a joined file by the name that the compiler was given, which is relative to this folder.
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR})
  get_target_property(sources ${target} SOURCES)
  foreach(source ${sources})
    file(STRINGS ${source} kernel REGEX "foreach_target" LIMIT_COUNT 1)
    if(NOT kernel)
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP rest)
    endif()
  endforeach()
endfunction()
