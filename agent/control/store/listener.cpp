#include "agent/control/store/listener.h"

#include "agent/base/log.h"
#include "agent/control/store/changes.h"
#include "agent/control/store/connection.h"

#include <libpq-fe.h>
#include <poll.h>
#include <soci/soci.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};
constexpr int look_every_ms = 1000;
constexpr int first_pause_ms = 100;
constexpr int longest_pause_ms = 5000;

}  // namespace

Listener::Listener(
    const Dialect& dialect, const Seal& seal, Feed& feed, std::function<void(bool)> healthy)
    : dialect_{dialect}, seal_{seal}, feed_{feed}, healthy_{std::move(healthy)},
      stop_{::eventfd(0, EFD_CLOEXEC)}
{
    if (stop_ < 0)
        throw std::system_error{errno, std::generic_category(), "eventfd"};
}

Listener::~Listener()
{
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(stop_, &one, sizeof one);
    if (thread_.joinable())
        thread_.join();
    ::close(stop_);
}

void Listener::start()
{
    connect();
    {
        Transaction db{*sql_, dialect_, seal_, Access::read};
        seen_ = store::change_state(db).version;
    }
    thread_ = std::thread{[this] { run(); }};
}

void Listener::connect()
{
    auto sql = dialect_.connect();
    *sql << "LISTEN " << change_channel;
    sql_ = std::move(sql);
}

/// Whether to stop, within some time or until something comes on a descriptor.
bool Listener::stopped(int milliseconds, int descriptor) const
{
    pollfd waiting[] = {{stop_, POLLIN, 0}, {descriptor, POLLIN, 0}};
    ::poll(waiting, descriptor < 0 ? 1 : 2, milliseconds);
    return (waiting[0].revents & POLLIN) != 0;
}

void Listener::run()
{
    int pause = first_pause_ms;
    bool worked = true;  // the connection has answered before
    for (;;) {
        try {
            if (!sql_)
                connect();
            look();
            healthy_(true);
            worked = true;
            pause = first_pause_ms;
            if (stopped(look_every_ms, PQsocket(connection_of(*sql_))))
                return;
            take_notifications();
        } catch (const std::exception& failure) {
            logger.warning("the line on which other replicas tell their changes is broken",
                {{"why", dialect_.judge(sql_.get(), failure).why}});
            sql_.reset();
            if (std::exchange(worked, false))
                continue;  // one may break; that the next one fails, too, means something
            healthy_(false);
            if (stopped(pause))
                return;
            pause = std::min(2 * pause, longest_pause_ms);
        }
    }
}

/// How many there are, and of whom, does not matter: the log says what has changed.
void Listener::take_notifications()
{
    PGconn* const connection = connection_of(*sql_);
    if (PQconsumeInput(connection) == 0)
        throw std::runtime_error{PQerrorMessage(connection)};
    while (PGnotify* const note = PQnotifies(connection))
        PQfreemem(note);
}

void Listener::look()
{
    Transaction db{*sql_, dialect_, seal_, Access::read};
    const auto now = store::change_state(db);
    if (now.version == seen_)
        return;
    if (now.pruned > seen_ || now.version < seen_)  // records are missing, or all is another's
        feed_.all_changed();
    else
        feed_.changed(store::probes_changed(db, seen_, now.version));
    seen_ = now.version;
}

}  // namespace sonde::control
