package dev.cowherd.nbd;

import java.io.IOException;
import java.net.BindException;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.URLEncoder;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/**
 * Where the server is reached: a TCP port, or a socket file. A socket file that a dead server left is replaced, one that
 * answers is not; on close only the file made here is removed.
 */
final class Listener implements AutoCloseable {
    private static final int BACKLOG = 128;

    private final ServerSocketChannel channel;
    /** The inode of our own socket file; null for TCP. */
    private final @Nullable Object socketFileKey;

    private Listener(ServerSocketChannel channel, @Nullable Object socketFileKey) {
        this.channel = channel;
        this.socketFileKey = socketFileKey;
    }

    static Listener open(SocketAddress address) throws IOException {
        return address instanceof UnixDomainSocketAddress unix ? openUnix(unix) : openTcp((InetSocketAddress) address);
    }

    private static Listener openTcp(InetSocketAddress address) throws IOException {
        if (address.isUnresolved()) {
            throw new IOException("cannot listen on " + address.getHostString() + ": the host is unknown");
        }
        ServerSocketChannel channel = ServerSocketChannel.open();
        try {
            channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            channel.bind(address, BACKLOG);
            return new Listener(channel, null);
        } catch (IOException e) {
            channel.close();
            throw new IOException("cannot listen on " + hostAndPort(address) + ": " + e.getMessage(), e);
        }
    }

    private static Listener openUnix(UnixDomainSocketAddress address) throws IOException {
        Path path = address.getPath();
        ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            try {
                channel.bind(address, BACKLOG);
            } catch (BindException e) {
                removeStale(path, e);
                channel.bind(address, BACKLOG);
            }
            return new Listener(channel, fileKey(path));
        } catch (IOException e) {
            channel.close();
            throw new IOException("cannot listen on " + path + ": " + e.getMessage(), e);
        }
    }

    /** Removes the socket file of a server that is gone; anything else at the path stays, and the cause is thrown. */
    private static void removeStale(Path path, BindException cause) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            throw cause;
        }
        BasicFileAttributes attributes =
                Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        if (!attributes.isOther()) {
            throw new IOException("the path exists and is no socket");
        }
        try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            probe.connect(UnixDomainSocketAddress.of(path));
        } catch (IOException refused) {
            Files.deleteIfExists(path);
            return;
        }
        throw new IOException("another server answers there");
    }

    private static @Nullable Object fileKey(Path path) throws IOException {
        return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                .fileKey();
    }

    /** The next client, ready for use. */
    SocketChannel accept() throws IOException {
        SocketChannel client = channel.accept();
        try {
            if (socketFileKey == null) {
                client.setOption(StandardSocketOptions.TCP_NODELAY, true);
                // A client whose machine died gives its place back, if late.
                client.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
            }
            return client;
        } catch (IOException e) {
            client.close();
            throw e;
        }
    }

    boolean isOpen() {
        return channel.isOpen();
    }

    /** How clients name the export, by the URI specification of the NBD project. */
    String uri(String exportName) throws IOException {
        String name = escape(exportName);
        if (channel.getLocalAddress() instanceof InetSocketAddress tcp) {
            return "nbd://" + hostAndPort(tcp) + "/" + name;
        }
        Path path = ((UnixDomainSocketAddress) channel.getLocalAddress()).getPath();
        return "nbd+unix:///" + name + "?socket="
                + escape(path.toAbsolutePath().toString()).replace("%2F", "/");
    }

    private static String hostAndPort(InetSocketAddress address) {
        String host = address.getAddress() instanceof Inet6Address six
                ? "[" + six.getHostAddress() + "]"
                : address.getAddress().getHostAddress();
        return host + ":" + address.getPort();
    }

    private static String escape(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    @Override
    public void close() throws IOException {
        if (!channel.isOpen()) {
            return;
        }
        SocketAddress address = channel.getLocalAddress();
        channel.close();
        if (address instanceof UnixDomainSocketAddress unix) {
            Path path = unix.getPath();
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)
                    && socketFileKey != null
                    && socketFileKey.equals(fileKey(path))) {
                Files.deleteIfExists(path);
            }
        }
    }
}
