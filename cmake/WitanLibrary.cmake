# One static library per folder of src/, which may only see the folders it names: the staircase of docs/architecture.md.

# witan_library(kernels base PRIVATE_LIBS PkgConfig::HWY) makes witan_kernels from src/kernels/**/*.cc on top of witan_base.
# HOT: what it computes decides the speed of whole runs, so it is optimised as far as the compiler goes.
# COLD: it directs what the folders below it compute, and is optimised less, which takes the compiler less time.
# A source that compiles itself once per instruction set (Highway's foreach_target.h) is joined with no other.
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
    foreach(source ${sources})
      file(STRINGS ${source} apart REGEX "foreach_target" LIMIT_COUNT 1)
      if(apart)
        set_source_files_properties(${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
      endif()
    endforeach()
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  foreach(dependency ${ARG_UNPARSED_ARGUMENTS})
    target_link_libraries(${target} ${scope} witan_${dependency})
  endforeach()
endfunction()
