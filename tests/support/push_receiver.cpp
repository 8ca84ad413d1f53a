#include "tests/support/push_receiver.h"

#include "agent/net/http_server.h"
#include "tests/support/process.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <snappy.h>

#include <bit>
#include <cstring>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>

namespace sonde::tests {
namespace {

namespace asio = boost::asio;

constexpr auto stale_bits = std::uint64_t{0x7ff0000000000002};

/// One field after the other of a protobuf message. Throws when it is none.
class Fields {
public:
    explicit Fields(std::string_view message) : rest_{message} {}

    bool next()
    {
        if (rest_.empty())
            return false;
        const std::uint64_t key = varint();
        number = static_cast<unsigned>(key >> 3U);
        switch (key & 7U) {
        case 0:
            value = varint();
            return true;
        case 1:
            std::memcpy(&value, take(8).data(), 8);
            return true;
        case 2:
            bytes = take(varint());
            return true;
        default:
            throw std::runtime_error{"not a field of protobuf"};
        }
    }

    unsigned number = 0;
    std::uint64_t value = 0;
    std::string_view bytes;

private:
    std::string_view take(std::uint64_t size)
    {
        if (size > rest_.size())
            throw std::runtime_error{"a field ends too early"};
        const auto taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }

    std::uint64_t varint()
    {
        std::uint64_t out = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1).front());
            out |= std::uint64_t{byte & 0x7fU} << shift;
            if (byte < 0x80)
                return out;
        }
        throw std::runtime_error{"a varint is too long"};
    }

    std::string_view rest_;
};

std::pair<std::string_view, std::string_view> label_of(std::string_view message)
{
    std::pair<std::string_view, std::string_view> label;
    for (Fields field{message}; field.next();)
        (field.number == 1 ? label.first : label.second) = field.bytes;
    return label;
}

/// What a request brought.
struct Sample {
    std::string series;  ///< its labels as they came
    std::string name;
    std::string job;
    std::int64_t time = 0;
    std::uint64_t bits = 0;
};

struct Line {
    std::string stream;
    std::string job;
    std::string time;
    std::string text;
};

Sample sample_of(std::string_view series)
{
    Sample sample;
    for (Fields field{series}; field.next();) {
        if (field.number == 1) {
            const auto [name, value] = label_of(field.bytes);
            sample.series.append(name).append("=").append(value).append(",");
            if (name == "__name__")
                sample.name = value;
            if (name == "job")
                sample.job = value;
        } else if (field.number == 2) {
            for (Fields inner{field.bytes}; inner.next();)
                if (inner.number == 1)
                    sample.bits = inner.value;
                else
                    sample.time = static_cast<std::int64_t>(inner.value);
        }
    }
    return sample;
}

std::string job_in(const std::string& stream)
{
    constexpr std::string_view key = "job=\"";
    const auto at = stream.find(key);
    if (at == std::string::npos)
        return {};
    const auto begin = at + key.size();
    return stream.substr(begin, stream.find('"', begin) - begin);
}

std::vector<Line> lines_of(std::string_view wire)
{
    std::vector<Line> lines;
    std::string stream;
    for (Fields field{wire}; field.next();) {
        if (field.number == 1)
            stream = field.bytes;
        if (field.number != 2)
            continue;
        Line line;
        for (Fields inner{field.bytes}; inner.next();)
            if (inner.number == 1)
                line.time = inner.bytes;
            else if (inner.number == 2)
                line.text = inner.bytes;
        lines.push_back(std::move(line));
    }
    for (Line& line : lines) {
        line.stream = stream;
        line.job = job_in(stream);
    }
    return lines;
}

}  // namespace

struct PushReceiver::State {
    mutable std::mutex mutex;
    Answer answer;
    Totals totals;
    std::unordered_map<std::string, std::uint64_t> seen;  // series and time, to value
    std::unordered_map<std::string, int> seen_lines;
    std::map<std::pair<std::string, std::string>, Times> times;  // name and job
    std::map<std::string, std::size_t> lines_of_job;

    asio::io_context loop{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{loop.get_executor()};
    std::list<net::HttpServer> servers;  // the last one serves; the others end their tasks in peace
    std::uint16_t port = free_port();
    std::thread thread;

    void keep(const Sample& sample)
    {
        ++totals.samples;
        const auto [old, is_new] =
            seen.emplace(fmt::format("{}@{}", sample.series, sample.time), sample.bits);
        if (!is_new)
            ++(old->second == sample.bits ? totals.doubled_samples : totals.conflicting);
        if (sample.bits != stale_bits)
            ++times[{sample.name, sample.job}][sample.time];
    }

    void keep(const Line& line)
    {
        ++totals.lines;
        const auto key = line.stream + '\0' + line.time + '\0' + line.text;
        if (!seen_lines.emplace(key, 1).second)
            ++totals.doubled_lines;
        else
            ++lines_of_job[line.job];
    }

    void decode(const std::string& path, const std::string& body)
    {
        std::string raw;
        if (!snappy::Uncompress(body.data(), body.size(), &raw))
            throw std::runtime_error{"not a snappy block"};
        for (Fields field{raw}; field.next();)
            if (path.starts_with("/metrics"))  // the API names what is above "/push"
                keep(sample_of(field.bytes));
            else
                for (const Line& line : lines_of(field.bytes))
                    keep(line);
    }

    asio::awaitable<net::HttpReply> handle(const net::HttpRequest& request)
    {
        Answer now;
        {
            const std::lock_guard lock{mutex};
            now = answer;
            ++totals.requests;
            try {
                if (now.keep)
                    decode(std::string{request.target()}, request.body());
            } catch (const std::exception&) {
                ++totals.unreadable;
                now.status = 400;
            }
        }
        if (now.after.count() > 0) {
            asio::steady_timer timer{loop, now.after};
            co_await timer.async_wait(asio::use_awaitable);
        }
        net::HttpReply reply{static_cast<net::http::status>(now.status), 11};
        reply.body() = now.body;
        co_return reply;
    }

    void on_loop(std::function<void()> work_to_do)
    {
        std::packaged_task<void()> task{std::move(work_to_do)};
        auto done = task.get_future();
        asio::post(loop, [&task] { task(); });
        done.get();
    }
};

PushReceiver::PushReceiver() : state_{std::make_unique<State>()}
{
    state_->thread = std::thread{[this] { state_->loop.run(); }};
    come_up();
}

PushReceiver::~PushReceiver()
{
    go_down();
    state_->work.reset();
    state_->thread.join();
}

std::uint16_t PushReceiver::port() const
{
    return state_->port;
}

std::string PushReceiver::url(std::string_view path) const
{
    return fmt::format("http://127.0.0.1:{}{}", state_->port, path);
}

void PushReceiver::answer(const Answer& answer)
{
    const std::lock_guard lock{state_->mutex};
    state_->answer = answer;
}

void PushReceiver::go_down()
{
    state_->on_loop([this] { state_->servers.back().stop(); });
}

void PushReceiver::come_up()
{
    state_->on_loop([this] {
        net::HttpLimits limits;
        limits.body_bytes = [](const net::HttpRequest&) { return std::size_t{16} << 20U; };
        net::HttpServer& server = state_->servers.emplace_back(
            state_->loop.get_executor(),
            [this](const net::HttpRequest& request, const net::HttpPeer&) {
                return state_->handle(request);
            },
            limits);
        if (const auto bound = server.listen({"127.0.0.1", state_->port}); !bound)
            throw std::runtime_error{bound.error().message};
    });
}

PushReceiver::Times PushReceiver::samples(std::string_view name, std::string_view job) const
{
    const std::lock_guard lock{state_->mutex};
    const auto found = state_->times.find({std::string{name}, std::string{job}});
    return found == state_->times.end() ? Times{} : found->second;
}

std::size_t PushReceiver::lines(std::string_view job) const
{
    const std::lock_guard lock{state_->mutex};
    const auto found = state_->lines_of_job.find(std::string{job});
    return found == state_->lines_of_job.end() ? 0 : found->second;
}

PushReceiver::Totals PushReceiver::totals() const
{
    const std::lock_guard lock{state_->mutex};
    return state_->totals;
}

}  // namespace sonde::tests
