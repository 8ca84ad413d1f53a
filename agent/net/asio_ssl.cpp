// Asio's TLS code that is no template, compiled here once (see agent/base/asio.cpp).
#include <boost/asio/ssl/impl/src.hpp>
