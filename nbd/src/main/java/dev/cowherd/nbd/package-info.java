/**
 * The NBD server: turns the protocol into requests on queues of one disk.
 *
 * <p>It owns the sockets, the threads of its connections and the protocol (fixed newstyle negotiation, simple and
 * structured replies, {@code base:allocation}), for reading and writing. One connection is one thread with buffers of bounded
 * size, so no client can make another wait, and what a connection costs is known. Taking requests apart and answering them is the same
 * for both engines ({@code Transmission}, {@code Replies}); they differ in how bytes move: one request after the other by system
 * calls ({@code InTurn}), or many at once, socket and disk on one ring ({@code SideBySide}).
 *
 * <p>Invariants: every number a client sends is compared with a named limit of {@link dev.cowherd.nbd.Protocol} before it is
 * used; a request that breaks a rule gets an error and the connection lives on, unless its end can no longer be found, then
 * that connection alone closes. What is read from the disk goes straight into the reply it leaves with. A reply that promises durability leaves after the flush that makes it true.
 *
 * <p>It must not know clusters, layers or files of the image: it sees bytes, and runs of bytes that hold data or zeros
 * ({@code Export}).
 */
@NullMarked
package dev.cowherd.nbd;

import org.jspecify.annotations.NullMarked;
