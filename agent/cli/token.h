#pragma once

#include <string>

namespace CLI {
class App;
}

namespace sonde::cli {

/// `sonde token`: tokens for the directory of a control plane (spec 04 §7.2), which knows them by
/// their SHA-256 alone.
class TokenVerbs {
public:
    explicit TokenVerbs(CLI::App& app);
    TokenVerbs(const TokenVerbs&) = delete;
    TokenVerbs& operator=(const TokenVerbs&) = delete;

    bool parsed() const;
    int run() const;

private:
    CLI::App* hash_;
    CLI::App* new_;
    bool from_stdin_ = false;
    std::string token_out_;
};

}  // namespace sonde::cli
