#pragma once

#include "checkers/check.h"
#include "checkers/http/http.h"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace sonde::checkers::http {

/// Replaces each `${secrets.NAME}` of `text` by its value; values are not scanned again
/// (spec 02 §1.11). @return Error "secret" with cause "bad_name", "not_found" or
/// "local_secret_store"; its message names the secret, never a value.
asio::awaitable<Result<std::string>> with_secrets(SecretSource* source, std::string text);

/// Puts values into the settings that may refer to secrets. @return a verdict that is not logged.
asio::awaitable<Verdict> fill_in_secrets(Run& run, Settings& settings);

}  // namespace sonde::checkers::http
