package dev.cowherd.nbd;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.testkit.RunningPeer;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/** A server in a process of its own, which a test can kill. */
final class ServerProcess {
    private ServerProcess() {}

    /** Starts to serve an image for writing; the address is in the file once clients can connect. */
    static RunningPeer start(Path image, Path address, Engine engine) throws IOException {
        Files.deleteIfExists(address);
        List<String> command = List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--add-exports=java.base/jdk.internal.vm=ALL-UNNAMED",
                "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                ServerProcess.class.getName(),
                image.toString(),
                address.toString(),
                engine.name());
        return RunningPeer.start(command).awaitFile(address);
    }

    static URI uriIn(Path address) throws IOException {
        return URI.create(Files.readString(address));
    }

    /**
     * Serves until it is killed.
     *
     * @param args the image, the file for the address, the engine
     * @throws Exception if it cannot
     */
    public static void main(String[] args) throws Exception {
        Path address = Path.of(args[1]);
        try (Disk disk = Disk.open(Path.of(args[0]), DiskOptions.defaults().withWritable(true));
                NbdServer server = NbdServer.start(disk, NegotiationTest.anyPort(Engine.valueOf(args[2])))) {
            Path unfinished = address.resolveSibling("unfinished");
            Files.writeString(unfinished, server.uri());
            Files.move(unfinished, address, StandardCopyOption.ATOMIC_MOVE);
            server.awaitClosed();
        }
    }
}
