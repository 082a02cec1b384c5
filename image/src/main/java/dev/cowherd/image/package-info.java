/**
 * Disks and their queues: the library that others embed.
 *
 * {@snippet :
 * DiskOptions options = DiskOptions.defaults().withWarnings(System.err::println);
 * try (Disk disk = Disk.open(Path.of("disk.qcow2"), options);
 *         DiskQueue queue = disk.openQueue(); // one a thread
 *         Arena arena = Arena.ofConfined()) {
 *     MemorySegment block = arena.allocate(65536);
 *     for (long at = 0; at + block.byteSize() <= disk.sizeBytes(); at += block.byteSize()) {
 *         queue.read(at, block);
 *     }
 * }
 * }
 *
 * <p><b>What it owns.</b> Opening an image with its backing chain and its data files; the queues, each of which asks the map where bytes
 * are and moves them itself; decompression, on the queue's thread or a spare core, into the caller's memory where a whole cluster is wanted and
 * else into a few clusters that the queue keeps; the answers of {@code qemu-img map}. It never parses an on-disk word:
 * {@code format} does.
 *
 * <p><b>Threads.</b> A {@link dev.cowherd.image.Disk} is shared. A {@link dev.cowherd.image.DiskQueue} belongs to one thread at a time, and
 * refuses a second one that comes in. Queues share the map and nothing else: each has its own descriptors, decoders, buffers.
 * A request that hits allocates nothing that outlives it and takes no lock; its only atomic operations are the two of the queue's
 * own door, by which closing waits for the request in flight.
 *
 * <p><b>What is opened.</b> The caller names the top image. Files that images name are opened only if they really lie, symbolic links
 * followed, in or below the top image's folder or a folder that the caller allows; names with a protocol are refused; the format is
 * the one that the header's extension gives, never guessed; a chain that is too deep or a loop is refused
 * ({@link dev.cowherd.image.ChainException}). An open that fails leaves nothing open.
 *
 * <p><b>Zeros.</b> What no layer holds, what lies past the end of a shorter backing file, what a file does not hold of its last cluster, and
 * the rest of an odd raw file's last sector read as zeros.
 *
 * <p><b>What comes with writes.</b> Structural changes will drain the queues as closing does now; kept decompressed clusters are found by
 * their host offset, which is right only while clusters are not freed: they will have to go with the epoch that frees them.
 */
@NullMarked
package dev.cowherd.image;

import org.jspecify.annotations.NullMarked;
