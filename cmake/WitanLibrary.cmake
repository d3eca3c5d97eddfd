# One static library per folder of src/, which may only see the folders it names: the staircase of docs/architecture.md.

# witan_library(kernels base PRIVATE_LIBS PkgConfig::HWY) makes witan_kernels from src/kernels/**/*.cc on top of witan_base.
# HOT: what it computes decides the speed of whole runs, so it is optimised as far as the compiler goes.
# COLD: it only directs what others compute, and is optimised less, which takes less time.
# APART: no unity build may join its sources.
function(witan_library folder)
  cmake_parse_arguments(ARG "HOT;COLD;APART" "" "PRIVATE_LIBS" ${ARGN})
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
    if(ARG_APART)
      set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
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
