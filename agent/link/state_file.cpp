#include "agent/link/state_file.h"

#include "agent/base/log.h"
#include "agent/link/wire_text.h"
#include "agent/net/worker.h"
#include "config/ids.h"
#include "exporters/segment_format.h"
#include "exporters/wire.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};
constexpr std::string_view magic = "sonde-api-state 1 ";

enum Part : unsigned { api_part = 1, probe_part, check_part, tenant_part };

using Bytes = std::shared_ptr<const std::string>;
using Parts = std::vector<std::pair<Part, Bytes>>;

std::string encode(const Parts& parts)
{
    std::string body;
    for (const auto& [part, bytes] : parts)
        exporters::wire::field_bytes(body, part, *bytes);
    return fmt::format(
        "{}{:08x} {}\n{}", magic, exporters::segment::crc32c(body), body.size(), body);
}

Bytes serialised(const google::protobuf::Message& message)
{
    return std::make_shared<const std::string>(message.SerializeAsString());
}

template <class Number>
bool take_number(std::string_view& text, int base, char end, Number& number)
{
    const auto [rest, failed] =
        std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (failed != std::errc{} || rest == text.data() + text.size() || *rest != end)
        return false;
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()) + 1);
    return true;
}

bool take_part(const WireField& field, ApiState& into)
{
    const std::string content{field.content};
    switch (field.number) {
    case api_part:
        into.api = content;
        return true;
    case probe_part:
        return into.probe.ParseFromString(content);
    case check_part:
        return into.checks.emplace_back().ParseFromString(content);
    case tenant_part:
        return into.tenants.emplace_back().ParseFromString(content);
    default:
        return false;
    }
}

Error failed(std::string_view what, const std::string& path)
{
    return error("state_file", "{} {}: {}", what, path, std::strerror(errno));
}

class File {
public:
    File(const std::string& path, int flags, ::mode_t mode = 0)
        : descriptor_{::open(path.c_str(), flags | O_CLOEXEC, mode)}
    {}
    ~File()
    {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    bool open() const { return descriptor_ >= 0; }
    bool write(std::string_view bytes) const
    {
        while (!bytes.empty()) {
            const auto written = ::write(descriptor_, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR)
                continue;
            if (written <= 0)
                return false;
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
        return true;
    }
    bool sync() const { return ::fsync(descriptor_) == 0; }

private:
    int descriptor_;
};

Result<> make_folder(const std::filesystem::path& folder)
{
    std::error_code failure;
    if (std::filesystem::create_directories(folder, failure))
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failure);
    if (failure)
        return error("state_file", "{}: {}", folder.string(), failure.message());
    return {};
}

/// All of it or nothing, also when the power goes: the name is given only to what is on disk.
Result<> write_whole(const std::filesystem::path& path, const Parts& parts)
{
    const auto folder = path.has_parent_path() ? path.parent_path() : ".";
    if (auto made = make_folder(folder); !made)
        return made;
    const std::string unfinished = path.string() + ".new";
    ::unlink(unfinished.c_str());  // of a process that was killed; its mode may be another
    const File file{unfinished, O_WRONLY | O_CREAT | O_EXCL, 0600};
    if (!file.open() || !file.write(encode(parts)) || !file.sync())
        return failed("writing", unfinished);
    if (::rename(unfinished.c_str(), path.c_str()) != 0)
        return failed("renaming to", path);
    const File in{folder.string(), O_RDONLY | O_DIRECTORY};
    if (!in.open() || !in.sync())
        return failed("syncing", folder);
    return {};
}

}  // namespace

std::string encode(const ApiState& state)
{
    Parts parts{{api_part, std::make_shared<const std::string>(state.api)},
        {probe_part, serialised(state.probe)}};
    for (const pb::Check& check : state.checks)
        parts.emplace_back(check_part, serialised(check));
    for (const pb::Tenant& tenant : state.tenants)
        parts.emplace_back(tenant_part, serialised(tenant));
    return encode(parts);
}

Result<ApiState> decode_state(std::string_view content)
{
    if (!content.starts_with(magic))
        return error("state_file", "it is no state file of this version");
    content.remove_prefix(magic.size());
    std::uint32_t crc = 0;
    std::size_t size = 0;
    if (!take_number(content, 16, ' ', crc) || !take_number(content, 10, '\n', size))
        return error("state_file", "its first line is damaged");
    if (size != content.size())
        return error("state_file", "it has {} bytes instead of {}", content.size(), size);
    if (exporters::segment::crc32c(content) != crc)
        return error("state_file", "it is damaged: its checksum is another");
    ApiState state;
    while (!content.empty()) {
        const auto field = take_field(content);
        if (!field || !field->has_content || !take_part(*field, state))
            return error("state_file", "it has a part that cannot be read");
    }
    return state;
}

struct StateFile::State {
    struct Check {
        std::int64_t tenant;  ///< as GetTenant wants it
        Bytes bytes;
    };

    State(const asio::any_io_executor& loop, asio::thread_pool& its_workers, std::string its_path,
        std::string its_api, const Timings& its_timings)
        : workers{its_workers}, path{std::move(its_path)}, api{std::move(its_api)},
          timings{its_timings}, pause{loop}, changed{loop, asio::steady_timer::time_point::max()},
          written{loop, asio::steady_timer::time_point::max()}
    {}

    /// Before the probe is told, so is nothing else: what is in the file holds.
    bool has_news() const { return dirty && probe; }
    void change()
    {
        dirty = true;
        changed.cancel();
    }
    void put(Bytes& place, Bytes bytes)
    {
        if (place && *place == *bytes)
            return;
        place = std::move(bytes);
        change();
    }
    Parts parts() const;
    asio::awaitable<bool> write();

    asio::thread_pool& workers;
    const std::string path;
    const std::string api;
    const Timings timings;
    Bytes probe;
    std::map<std::int64_t, Check> checks;
    std::map<std::int64_t, Bytes> tenants;
    bool dirty = false;
    bool writing = false;
    bool complained = false;
    asio::steady_timer pause;
    asio::steady_timer changed;  // cancelled when there is something to write
    asio::steady_timer written;  // cancelled when a file has been written
};

/// Secrets of tenants that no check has any more are not kept.
Parts StateFile::State::parts() const
{
    Parts out{{api_part, std::make_shared<const std::string>(api)}};
    if (probe)
        out.emplace_back(probe_part, probe);
    std::set<std::int64_t> wanted;
    for (const auto& [id, check] : checks) {
        out.emplace_back(check_part, check.bytes);
        wanted.insert(check.tenant);
    }
    for (const auto& [id, bytes] : tenants)
        if (wanted.contains(id))
            out.emplace_back(tenant_part, bytes);
    return out;
}

/// @return false: it could not be written and has to be tried again.
asio::awaitable<bool> StateFile::State::write()
{
    struct Writing {
        State& state;
        explicit Writing(State& its_state) : state{its_state} { state.writing = true; }
        ~Writing()
        {
            state.writing = false;
            state.written.cancel();
        }
    } const writing_now{*this};
    dirty = false;
    auto work = [to = std::filesystem::path{path}, what = parts()] {
        return write_whole(to, what);
    };
    auto writing_it = net::on_worker(workers, std::move(work));
    const auto done = co_await std::move(writing_it);
    if (!done) {
        dirty = true;
        if (!std::exchange(complained, true))
            logger.warning("what the API says is not kept", {{"why", done.error().message}});
        co_return false;
    }
    if (std::exchange(complained, false))
        logger.warning("what the API says is kept again", {{"path", path}});
    co_return true;
}

StateFile::StateFile(const asio::any_io_executor& loop, asio::thread_pool& workers,
    std::string path, std::string api, const Timings& timings)
    : state_{std::make_unique<State>(loop, workers, std::move(path), std::move(api), timings)}
{}

StateFile::~StateFile() = default;

std::optional<ApiState> StateFile::load() const
{
    const State& s = *state_;
    std::ifstream file{s.path, std::ios::binary};
    if (!file && errno == ENOENT)
        return std::nullopt;
    std::ostringstream content;
    Result<ApiState> state = error("state_file", "it cannot be read");
    if (file && content << file.rdbuf())
        state = decode_state(content.view());
    if (state && state->api != s.api)
        state = error("state_file", "it is from another API, {}", state->api);
    if (!state) {
        logger.warning(
            "the state file is ignored", {{"path", s.path}, {"why", state.error().message}});
        return std::nullopt;
    }
    return std::move(*state);
}

void StateFile::keep(const pb::Probe& probe)
{
    state_->put(state_->probe, serialised(probe));
}

void StateFile::keep(const pb::Check& check)
{
    auto& place = state_->checks[check.id()];
    place.tenant = config::global_id(
        config::split_id(check.tenantid()).local, config::split_id(check.id()).region);
    state_->put(place.bytes, serialised(check));
}

void StateFile::forget_check(std::int64_t id)
{
    if (state_->checks.erase(id) > 0)
        state_->change();
}

void StateFile::keep(const pb::Tenant& tenant)
{
    state_->put(state_->tenants[tenant.id()], serialised(tenant));
}

asio::awaitable<void> StateFile::run()
{
    State& s = *state_;
    for (;;) {
        while (!s.has_news()) {
            boost::system::error_code woken;
            co_await s.changed.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        }
        s.pause.expires_after(s.timings.state_delay);  // more may follow
        co_await s.pause.async_wait(asio::use_awaitable);
        const bool done = co_await s.write();
        s.pause.expires_after(done ? std::chrono::milliseconds{0} : s.timings.state_retry);
        co_await s.pause.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> StateFile::save()
{
    State& s = *state_;
    while (s.writing) {
        boost::system::error_code woken;
        co_await s.written.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    if (s.has_news())
        co_await s.write();
}

}  // namespace sonde::link
