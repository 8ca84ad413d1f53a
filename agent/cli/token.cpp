#include "agent/cli/token.h"

#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/ctl/secret_file.h"

#include <CLI/CLI.hpp>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <iterator>

namespace sonde::cli {
namespace {

constexpr std::size_t random_bytes = 32;  // as many as the API's own tokens have (spec 04 §8.1)

int complain(std::string_view verb, std::string_view what, int status)
{
    fmt::print(stderr, "sonde token {}: {}\n", verb, what);
    return status;
}

termios terminal_before;  // for the handler of signals, which is given nothing else

/// Whoever interrupts the question shall see again what is typed.
void restore_and_end(int number)
{
    ::tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    std::signal(number, SIG_DFL);
    std::raise(number);
}

/// While it lives, a terminal does not show what is typed.
class NoEcho {
public:
    NoEcho()
    {
        if (::tcgetattr(STDIN_FILENO, &terminal_before) != 0)
            return;
        for (const int number : signals)
            std::signal(number, restore_and_end);
        termios silent = terminal_before;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
    }
    ~NoEcho()
    {
        if (changed_)
            ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_before);
        for (const int number : signals)
            std::signal(number, SIG_DFL);
    }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;

private:
    static constexpr std::array signals{SIGINT, SIGTERM, SIGHUP};
    bool changed_ = false;
};

/// One line from a person; otherwise all there is, without the line ends behind it.
std::string read_token(bool all)
{
    std::string token;
    if (!all && ::isatty(STDIN_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0) {
        fmt::print(stderr, "Token: ");
        std::fflush(stderr);
        const NoEcho silent;
        std::getline(std::cin, token);
        fmt::print(stderr, "\n");
    } else {
        token.assign(std::istreambuf_iterator<char>{std::cin}, {});
    }
    token.erase(token.find_last_not_of("\r\n") + 1);
    return token;
}

std::string sha256_hex(std::string_view bytes)
{
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return text::hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

/// The value of `sha256` for a token that is never an argument, where other users could read it.
int print_hash(bool from_stdin)
{
    const std::string token = read_token(from_stdin);
    if (token.empty())
        return complain("hash", "no token on standard input", usage);
    fmt::print("{}\n", sha256_hex(token));
    return success;
}

/// Random bytes in base64url without padding. Empty: there are none to be had.
std::string random_token()
{
    std::array<unsigned char, random_bytes> bytes;
    if (RAND_bytes(bytes.data(), bytes.size()) != 1)
        return {};
    std::string token = text::base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    std::replace(token.begin(), token.end(), '+', '-');
    std::replace(token.begin(), token.end(), '/', '_');
    token.erase(token.find_last_not_of('=') + 1);
    return token;
}

int make_token(const std::string& token_out)
{
    const std::string token = random_token();
    if (token.empty())
        return complain("new", "the system has no random bytes", failure);
    if (token_out.empty()) {
        fmt::print("token: {}\nsha256: {}\n", token, sha256_hex(token));
        return success;
    }
    auto file = ctl::SecretFile::prepare(token_out);
    if (!file)
        return complain("new", file.error().message, failure);
    if (const auto written = file->write(token); !written)
        return complain("new", written.error().message, failure);
    fmt::print("sha256: {}\n", sha256_hex(token));
    return success;
}

}  // namespace

TokenVerbs::TokenVerbs(CLI::App& app)
{
    CLI::App* token = app.add_subcommand("token", "Tokens for the directory of a control plane");
    token->require_subcommand(1);
    hash_ = token->add_subcommand("hash", "Print the SHA-256 of the token on standard input");
    hash_->add_flag("--stdin", from_stdin_, "Read to its end; no question on a terminal");
    new_ = token->add_subcommand("new", "Make a random token, and print it with its SHA-256");
    new_->add_option("--token-out", token_out_, "File for the token; only the SHA-256 is printed")
        ->type_name("FILE");
}

bool TokenVerbs::parsed() const
{
    return hash_->parsed() || new_->parsed();
}

int TokenVerbs::run() const
{
    return hash_->parsed() ? print_hash(from_stdin_) : make_token(token_out_);
}

}  // namespace sonde::cli
