/** The NBD server: turns the protocol into requests on queues. */
@NullMarked
package dev.cowherd.nbd;

import org.jspecify.annotations.NullMarked;
