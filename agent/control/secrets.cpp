#include "agent/control/secrets.h"

#include "agent/base/text.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

namespace sonde::control {
namespace {

std::string random_bytes(std::size_t count)
{
    std::string bytes(count, '\0');
    randombytes_buf(bytes.data(), bytes.size());
    return bytes;
}

/// URL-safe, without padding (RFC 4648 §5).
std::string base64url(std::string_view bytes)
{
    std::string out = text::base64(bytes);
    for (char& c : out)
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    out.erase(out.find_last_not_of('=') + 1);
    return out;
}

const unsigned char* raw(std::string_view bytes)
{
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw(std::string& bytes)
{
    return reinterpret_cast<unsigned char*>(bytes.data());
}

Result<> make_key_file(const std::string& file)
{
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error(
            "secrets", "secrets.key_file: {} cannot be made: {}", file, std::strerror(errno));
    const std::string line = "1:" + text::base64(random_bytes(crypto_secretbox_KEYBYTES)) + "\n";
    const bool written =
        ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
        ::fsync(fd) == 0;
    ::close(fd);
    if (!written)
        return error(
            "secrets", "secrets.key_file: {} cannot be written: {}", file, std::strerror(errno));
    return {};
}

}  // namespace

Result<Seal> Seal::load(const std::string& file, Missing missing)
{
    if (sodium_init() < 0)
        return error("secrets", "libsodium cannot be set up");
    struct stat facts{};
    if (::stat(file.c_str(), &facts) != 0) {
        if (missing == Missing::refuse)
            return error("secrets",
                "secrets.key_file: {} is missing; copy it from where the database was used before, "
                "or make one for a new database: (umask 077; echo \"1:$(head -c 32 /dev/urandom | "
                "base64)\" > {})",
                file, file);
        if (auto made = make_key_file(file); !made)
            return made.error();
    } else if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return error("secrets", "secrets.key_file: {} can be read by others; chmod 600 it", file);
    }
    std::ifstream in{file};
    Seal seal;
    for (std::string line; std::getline(in, line);) {
        const auto colon = line.find(':');
        const auto key = colon == std::string::npos
                             ? Result<std::string>{std::string{}}
                             : text::from_base64(std::string_view{line}.substr(colon + 1));
        if (!key || key->size() != crypto_secretbox_KEYBYTES || colon == 0)
            return error(
                "secrets", "secrets.key_file: {}: a line is not ID:BASE64 of 32 bytes", file);
        seal.keys_.push_back({line.substr(0, colon), *key});
    }
    if (seal.keys_.empty())
        return error("secrets", "secrets.key_file: {} holds no key", file);
    return seal;
}

std::string Seal::close(std::string_view plain) const
{
    const std::string nonce = random_bytes(crypto_secretbox_NONCEBYTES);
    std::string box(plain.size() + crypto_secretbox_MACBYTES, '\0');
    crypto_secretbox_easy(raw(box), raw(plain), plain.size(), raw(nonce), raw(keys_.front().bytes));
    return keys_.front().id + ':' + text::base64(nonce + box);
}

Result<std::string> Seal::open(std::string_view sealed) const
{
    const auto colon = sealed.find(':');
    const auto bytes = text::from_base64(
        sealed.substr(colon == std::string_view::npos ? sealed.size() : colon + 1));
    if (!bytes || bytes->size() < crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)
        return error("secrets", "a stored value is broken");
    const std::string_view all{*bytes};
    const auto nonce = all.substr(0, crypto_secretbox_NONCEBYTES);
    const auto box = all.substr(crypto_secretbox_NONCEBYTES);
    for (const Key& key : keys_) {
        if (key.id != sealed.substr(0, colon))
            continue;
        std::string plain(box.size() - crypto_secretbox_MACBYTES, '\0');
        if (crypto_secretbox_open_easy(
                raw(plain), raw(box), box.size(), raw(nonce), raw(key.bytes)) == 0)
            return plain;
    }
    return error("secrets", "no key of secrets.key_file opens a stored value");
}

std::string sha256_hex(std::string_view bytes)
{
    std::string digest(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(raw(digest), raw(bytes), bytes.size());
    return text::hex(digest);
}

bool equal(std::string_view a, std::string_view b)
{
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

AccessToken new_access_token()
{
    const std::string lookup = base64url(random_bytes(16));
    return {"sma_" + lookup + '_' + base64url(random_bytes(32)), lookup};
}

std::string lookup_of(std::string_view token)
{
    constexpr std::size_t size = 70;
    constexpr std::string_view allowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (token.size() != size || !token.starts_with("sma_") || token[26] != '_' ||
        token.find_first_not_of(allowed) != std::string_view::npos)
        return {};
    return std::string{token.substr(4, 22)};
}

std::int64_t random_number()
{
    std::int64_t number = 0;
    randombytes_buf(&number, sizeof number);
    return std::max<std::int64_t>(number & std::numeric_limits<std::int64_t>::max(), 1);
}

std::string new_probe_token()
{
    return "smp_" + base64url(random_bytes(32));
}

}  // namespace sonde::control
