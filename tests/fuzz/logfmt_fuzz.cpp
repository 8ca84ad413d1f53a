// What strangers say, in the lines of a check's log: agent/base/logfmt.
#include "agent/base/logfmt.h"
#include "agent/base/text.h"
#include "tests/fuzz/fuzz.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace {

using namespace sonde;

void check_number(std::string_view bytes)
{
    double value = 0;
    std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
    const std::string text = logfmt::number(value);
    const double again = std::strtod(text.c_str(), nullptr);
    fuzz::require(again == value || (std::isnan(value) && std::isnan(again)),
        "the digits of a number read the same again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input input{data, size};
    const auto key = input.line();
    const auto value = input.rest();
    check_number(value);

    std::string line;
    logfmt::append(line, key, value);
    fuzz::require(text::is_utf8(line), "a line is UTF-8");
    fuzz::require(std::none_of(line.begin(), line.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }),
        "a line has no control characters");
    const auto equals = line.find('=');
    fuzz::require(line.find_first_of(" \"") >= equals, "a key needs no quotes");
    const std::string shown = line.substr(equals + 1);
    if (shown.starts_with('"'))  // the quotes are JSON's
        fuzz::require(nlohmann::json::parse(shown, nullptr, false) == text::repair_utf8(value),
            "a quoted value reads the same again");
    else
        fuzz::require(shown == value, "a bare value is the value");

    const std::string before = line;
    logfmt::append(line, "next", value);
    fuzz::require(line.starts_with(before + " next="), "fields stand one after the other");
    return 0;
}
