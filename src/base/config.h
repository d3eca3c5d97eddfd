// Configuration fields, declared once: name, where the value lives, bounds, help. Command-line flags, JSON keys,
// printing and the docs derive from the declaration.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace witan {

struct Field {
  std::string name;   // "num_experts_per_tok": the JSON key; the flag is --num-experts-per-tok
  std::string scope;  // "model": where it was declared, for messages
  std::string help;
  std::variant<bool*, std::int64_t*, double*, std::string*> target;  // holds the default until set
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices;  // of a string; empty: any
  std::string default_text;          // the value when it was declared, as a user would type it

  std::string flag() const;        // "--num-experts-per-tok"
  std::string text() const;        // the present value, as a user would type it
  std::string range_text() const;  // "1 to 8", "at least 1", "one of: a, b"; "" when anything goes
  nlohmann::json to_json() const;  // the present value
  // Sets from what a user typed. A flag takes true/false, yes/no, on/off, 1/0; an integer also takes a whole number
  // written as a real ("3.0", "1e6"); a real must be finite. Throws Error "model.top_k: 9 exceeds 8 (expected 1 to 8)",
  // and then leaves the target as it was.
  void set(std::string_view text) const;
  // Sets from JSON, whose type must fit: a boolean for a flag, a number for a number, a string for a string. 3.0 is
  // the integer 3, since JSON has one kind of number and common writers turn 3 into 3.0; 3.5 is an Error.
  void set_json(const nlohmann::json& value) const;
};

// The fields of one config object, in the order of declaration. References into the object: it must outlive this.
// Declaring a name twice is a bug, as is a default outside its own bounds.
class Fields {
 public:
  explicit Fields(std::string scope) : scope_(std::move(scope)) {}  // "model", for messages

  Fields& flag(std::string name, bool& target, std::string help);
  Fields& integer(std::string name, std::int64_t& target, std::int64_t minimum, std::int64_t maximum, std::string help);
  Fields& real(std::string name, double& target, double minimum, double maximum, std::string help);
  Fields& text(std::string name, std::string& target, std::string help);
  Fields& choice(std::string name, std::string& target, std::vector<std::string> choices, std::string help);
  // Appends the fields of a nested config, which keep their own scope in messages. In JSON they stand side by side.
  Fields& include(const Fields& other);

  const std::vector<Field>& all() const { return fields_; }
  // Throws Error for an unknown name, naming the nearest known ones.
  const Field& find(std::string_view name) const;
  // Sets every key of an object. Unknown keys throw Error.
  void set_all(const nlohmann::json& object) const;
  nlohmann::json to_json() const;

 private:
  std::string scope_;
  std::vector<Field> fields_;
};

}  // namespace witan
