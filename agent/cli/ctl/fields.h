#pragma once

#include <google/protobuf/message.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::cli::ctl {

/// A member that holds one value: "settings.http.validStatusCodes[0]".
struct Field {
    std::string path;
    std::string value;  ///< its JSON
    std::string shown;  ///< for people: shortened, a secret as "<secret>"
};

/// Paths of values that must not be shown, besides those that always are secrets.
using HiddenPaths = std::set<std::string, std::less<>>;

/// All members as the API prints them, in its order; a second spelling of one is left out.
std::vector<Field> fields_of(
    const google::protobuf::Message& message, const HiddenPaths& hidden = {});

/// Of these, what is worth telling of something new: neither zero, nor empty, nor false, nor as it
/// usually is.
std::vector<Field> telling(std::vector<Field> fields, const std::vector<Field>& usual);

/// A URL with "<secret>" where it has a user, and perhaps a password.
std::string hide_user(const std::string& url);

/// What an update changes, for people.
struct FieldChange {
    std::string path;
    std::string before;  ///< "(none)": it was not there
    std::string after;
};
std::vector<FieldChange> changes_between(
    const std::vector<Field>& before, const std::vector<Field>& after);

}  // namespace sonde::cli::ctl
