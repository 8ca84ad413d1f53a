#pragma once

#include "checkers/check.h"
#include "checkers/http/http.h"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <utility>

namespace sonde::checkers::http {

/// Why a secret cannot be had.
struct SecretFailure : Error {
    SecretFailure() = default;
    SecretFailure(std::string secret, Error why) : Error{std::move(why)}, name{std::move(secret)} {}
    std::string name;  ///< as the check has it
};

/// Replaces each `${secrets.NAME}` of `text` by its value; values are not scanned again
/// (spec 02 §1.11). @return Error "secret" with cause "bad_name", "not_found" or
/// "local_secret_store"; its message names the secret, never a value.
asio::awaitable<boost::system::result<std::string, SecretFailure>> with_secrets(
    SecretSource* source, std::string text);

/// Puts values into the settings that may refer to secrets. @return a verdict that is not logged.
asio::awaitable<Verdict> fill_in_secrets(Run& run, Settings& settings);

}  // namespace sonde::checkers::http
