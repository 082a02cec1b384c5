package dev.cowherd.nbd;

import dev.cowherd.image.Disk;
import dev.cowherd.image.Engine;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * Serves one disk to NBD clients: each connection has a thread and a queue of its own, so connections read and write in
 * parallel. Safe for use by any number of threads.
 *
 * <p>Clients may write if the disk was opened for writing and the options allow it. A flush of one covers what was answered on
 * all of them before.
 *
 * <p>A client costs one thread and 256 KiB for its requests. With the sync engine, which does one request after the other, it costs
 * one queue, from 256 KiB to 2 MiB for the replies under way and, if it sends long writes, 2 MiB for their payload. With the ring engine
 * it costs one ring and, for the requests under way, at most {@link NbdOptions#maxInflight} and 10 MiB.
 */
public final class NbdServer implements AutoCloseable {
    /** How many clients over the limit are told so at one time; the ones beyond are let go without a word. */
    private static final int MAX_REFUSED = 16;
    /** How long {@link #close} waits for clients to take the replies they asked for. */
    private static final long CLOSE_MILLIS = 3000;
    /** How long to wait after the host refused to accept, for one when it is out of descriptors. */
    private static final long ACCEPT_PAUSE_MILLIS = 100;

    private final Export export;
    private final Ways ways;
    private final NbdOptions options;
    private final Listener listener;
    private final String uri;
    private final Thread acceptor;
    private final ScheduledExecutorService clock;
    /** Guarded by itself. */
    private final Set<Connection> connections = new HashSet<>();

    private final CountDownLatch closing = new CountDownLatch(1);
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile boolean stopping;

    private NbdServer(Export export, Ways ways, NbdOptions options, Listener listener) throws IOException {
        this.export = export;
        this.ways = ways;
        this.options = options;
        this.listener = listener;
        this.uri = listener.uri(options.exportName());
        this.clock = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().daemon().name("nbd-clock").factory());
        this.acceptor = Thread.ofPlatform().name("nbd-accept").unstarted(this::acceptAll);
    }

    /**
     * Starts to serve a disk. The caller keeps the disk open until the server is closed.
     *
     * @param disk what to serve
     * @param options how
     * @return the running server, which accepts connections from now on
     * @throws IOException if the address cannot be listened on, or the ring engine was asked for and cannot be had
     */
    public static NbdServer start(Disk disk, NbdOptions options) throws IOException {
        return start(new DiskExport(disk), options);
    }

    static NbdServer start(Export export, NbdOptions options) throws IOException {
        return start(export, options, FiberLoop::open);
    }

    static NbdServer start(Export export, NbdOptions options, Ways.Loops loops) throws IOException {
        Ways ways = Ways.to(export, options, loops);
        Listener listener = Listener.open(options.address());
        try {
            NbdServer server = new NbdServer(export, ways, options, listener);
            server.acceptor.start();
            return server;
        } catch (IOException | RuntimeException e) {
            listener.close();
            throw e;
        }
    }

    /**
     * How clients name the export.
     *
     * @return an NBD URI, with the port that was picked
     */
    public String uri() {
        return uri;
    }

    /**
     * Which engine moves the bytes.
     *
     * @return {@link Engine#RING} or {@link Engine#SYNC}
     */
    public Engine engine() {
        return ways.engine();
    }

    /**
     * The clients that are served as of now.
     *
     * @return their number, those that are being turned away not counted
     */
    public int connectionCount() {
        synchronized (connections) {
            return count(false);
        }
    }

    /** Whether every connection has been told to take no further request. */
    boolean isStopping() {
        return stopping;
    }

    /**
     * Waits until the server is closed.
     *
     * @throws InterruptedException if the waiting thread is interrupted
     */
    public void awaitClosed() throws InterruptedException {
        closed.await();
    }

    /**
     * Stops: no client and no request is taken any more, requests under way end and their replies are sent to clients that
     * take them within a few seconds, then all connections, threads and the socket file are gone. Waits for that. Does nothing
     * the second time, but waits too.
     *
     * @throws IOException if the host reports an error on the listening socket
     */
    @Override
    public void close() throws IOException {
        boolean first;
        synchronized (connections) {
            first = closing.getCount() > 0;
            closing.countDown();
        }
        boolean interrupted = false;
        try {
            if (first) {
                try {
                    listener.close();
                } finally {
                    interrupted = endConnections();
                    clock.shutdownNow();
                    closed.countDown();
                }
            } else {
                closed.await();
            }
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends every connection, gently at first; true if interrupted, which makes it less gentle. */
    private boolean endConnections() {
        List<Connection> open = List.of();
        boolean interrupted = false;
        try {
            acceptor.join();
            synchronized (connections) {
                open = List.copyOf(connections);
            }
            for (Connection connection : open) {
                quietly(connection::stop);
            }
            stopping = true;
            long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CLOSE_MILLIS);
            for (Connection connection : open) {
                long millis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                if (!connection.join(Math.max(millis, 1))) {
                    quietly(connection::cut);
                }
            }
            for (Connection connection : open) {
                connection.join(CLOSE_MILLIS);
            }
        } catch (InterruptedException e) {
            interrupted = true;
            for (Connection connection : open) {
                quietly(connection::cut);
            }
        }
        return interrupted;
    }

    private void acceptAll() {
        while (closing.getCount() > 0) {
            try {
                admit(listener.accept());
            } catch (IOException e) {
                if (!listener.isOpen()) {
                    return;
                }
                options.log().accept("no client can be accepted: " + e.getMessage());
                try {
                    if (closing.await(ACCEPT_PAUSE_MILLIS, TimeUnit.MILLISECONDS)) {
                        return;
                    }
                } catch (InterruptedException interrupted) {
                    return;
                }
            }
        }
    }

    private void admit(SocketChannel client) throws IOException {
        Connection connection;
        synchronized (connections) {
            boolean full = count(false) >= options.maxConnections();
            if (closing.getCount() == 0 || (full && count(true) >= MAX_REFUSED)) {
                connection = null;
            } else {
                connection = connection(client, full);
                connections.add(connection);
            }
        }
        if (connection == null) {
            client.close();
            return;
        }
        try {
            connection.start();
        } catch (Throwable e) {
            // No thread to be had: this client goes, the others stay.
            forget(connection);
            client.close();
            options.log().accept("no thread for a client: " + e);
        }
    }

    private Connection connection(SocketChannel client, boolean full) {
        String refusal = full
                ? "the server is at its limit of " + options.maxConnections() + " connections; try again later"
                : null;
        return new Connection(client, export, ways, options, refusal, this::handshakeClock, this::forget);
    }

    private ScheduledFuture<?> handshakeClock(Connection connection) {
        return clock.schedule(
                () -> {
                    options.log().accept(connection.clientName() + " took too long to pick an export");
                    quietly(connection::cut);
                },
                options.handshakeTimeout().toMillis(),
                TimeUnit.MILLISECONDS);
    }

    private void forget(Connection connection) {
        synchronized (connections) {
            connections.remove(connection);
        }
    }

    private int count(boolean refused) {
        int count = 0;
        for (Connection connection : connections) {
            if (connection.isRefused() == refused) {
                count++;
            }
        }
        return count;
    }

    private interface Closing {
        void run() throws IOException;
    }

    /** A client's socket that fails to close is as gone as one that closes: a line in the log is all it is worth. */
    private void quietly(Closing closing) {
        try {
            closing.run();
        } catch (ClosedChannelException e) {
            return;
        } catch (IOException e) {
            options.log().accept("while a connection was ended: " + e.getMessage());
        }
    }
}
