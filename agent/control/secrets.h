#pragma once

#include "agent/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::control {

/// Seals what must not lie in the database in clear text: remote passwords, settings of checks
/// (spec 04 §13.6). XSalsa20-Poly1305 of libsodium. Immutable; any thread.
class Seal {
public:
    enum class Missing { make, refuse };
    /// Reads `ID:BASE64` lines of 32 bytes each; the first seals, all open. A missing file is made,
    /// mode 0600, or refused: beside a database that exists, keys of our own open nothing.
    /// @return Error "secrets" when it cannot be read or others can read it.
    static Result<Seal> load(const std::string& file, Missing missing = Missing::make);

    std::string close(std::string_view plain) const;  ///< "ID:BASE64"
    /// @return Error "secrets" when no key opens it.
    Result<std::string> open(std::string_view sealed) const;

private:
    struct Key {
        std::string id;
        std::string bytes;
    };
    std::vector<Key> keys_;
};

/// 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);
/// In constant time.
bool equal(std::string_view a, std::string_view b);

/// An access token (spec 04 §8.1).
struct AccessToken {
    std::string text;    ///< "sma_" + lookup id + "_" + secret
    std::string lookup;  ///< 22 characters, stored in clear
};
AccessToken new_access_token();
/// The lookup id of a token's text; empty when it does not parse.
std::string lookup_of(std::string_view token);

/// Above 0, never the same twice.
std::int64_t random_number();

/// A probe token's raw bytes: "smp_" and 43 characters (spec 04 §9.1).
std::string new_probe_token();

}  // namespace sonde::control
