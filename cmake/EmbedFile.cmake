# Compiles the content of a file into the program. Run as a script it writes the source file:
#   cmake -DINPUT=page.html -DOUTPUT=page.cc -DHEADER=report/page.h -DFUNCTION=report_template -P EmbedFile.cmake
# The function, declared in HEADER, returns the bytes as a std::string_view.
foreach(name INPUT OUTPUT HEADER FUNCTION)
  if(NOT DEFINED ${name})
    message(FATAL_ERROR "EmbedFile.cmake: -D${name}=... is missing")
  endif()
endforeach()

file(READ "${INPUT}" content)
set(delimiter "witan_file")
string(FIND "${content}" ")${delimiter}\"" clash)
string(FIND "${content}" "\r" carriage_return)
if(NOT clash EQUAL -1 OR NOT carriage_return EQUAL -1)
  message(FATAL_ERROR "EmbedFile.cmake: ${INPUT} cannot be a raw string literal: it holds a carriage return or the delimiter")
endif()
file(WRITE "${OUTPUT}" "// Generated at build time: the content of one file.
#include \"${HEADER}\"

namespace witan {

std::string_view ${FUNCTION}() {
  static constexpr char kContent[] = R\"${delimiter}(${content})${delimiter}\";
  return {kContent, sizeof kContent - 1};
}

}  // namespace witan
")
