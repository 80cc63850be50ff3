// poller_sim.hpp: the poller of a simulated world (sim_world.hpp).
//
// SPDX-License-Identifier: MIT
#pragma once

#include "poller.hpp"
#include "sim_world.hpp"

namespace aloop {

// Puts loops made from these options into a world of their own: virtual clock,
// simulated descriptors, everything drawn from the seed.
void use_simulator(loop_options *options, const sim_conditions &conditions);

}  // namespace aloop
