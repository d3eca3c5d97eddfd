// What a user would read: the text of the Error that a call throws.
#pragma once

#include <string>

#include "base/error.h"

namespace witan::test {

// "no error" when nothing was thrown; anything but Error passes through and fails the test.
template <class Body>
std::string error_message(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace witan::test
