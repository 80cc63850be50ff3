// Boost.Asio 1.74 uses std::exchange without including what declares it.
//
// SPDX-License-Identifier: MIT
#ifndef ASIO_H
#define ASIO_H

#include <utility>

#include <boost/asio.hpp>

namespace asio = boost::asio;

#endif
