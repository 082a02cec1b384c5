package dev.cowherd.cli;

import dev.cowherd.image.DetectZeroes;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.nbd.NbdOptions;
import dev.cowherd.nbd.NbdServer;
import dev.cowherd.storage.CacheMode;
import java.io.IOException;
import java.io.PrintStream;
import java.net.UnixDomainSocketAddress;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/**
 * {@code serve nbd IMAGE}: exports an image until Ctrl-C, for reading and writing unless a flag says otherwise, as qemu-nbd
 * does. Standard output carries the URI and how to connect, and is complete when clients can; standard error carries what goes
 * wrong with clients.
 */
final class ServeCommand implements Command {
    private DiskOptions disks = DiskOptions.defaults();
    private NbdOptions server = NbdOptions.defaults();
    private @Nullable String bind;
    private @Nullable String socket;
    private int port = NbdOptions.DEFAULT_PORT;
    private boolean readOnly;
    private boolean discards;
    private DetectZeroes detectZeroes = DetectZeroes.OFF;

    @Override
    public int run(Invocation in) throws Exception {
        disks = in.diskOptions();
        Flags flags = new Flags(
                in.args(),
                "-f --format=",
                "-U --force-share",
                "-r --read-only",
                "-l --snapshot --load-snapshot=",
                "-T --cache=",
                "--discard=",
                "--detect-zeroes=",
                "-b --bind=",
                "-p --port=",
                "-k --socket=",
                "-x --export-name=",
                "-D --description=",
                "-e --max-connections --shared=",
                "-t --persistent",
                "--engine=",
                "--max-inflight=",
                "--no-structured-replies",
                "--http",
                "-h --help");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            if (flag.equals("-h")) {
                return new HelpCommand().run(in);
            }
            accept(flag, flags);
        }
        if (flags.operands().isEmpty()) {
            throw new CommandException("serve what? Try 'cowherd serve nbd FILE'");
        }
        if (!flags.operands().get(0).equals("nbd")) {
            throw new CommandException("cannot serve '" + flags.operands().get(0) + "', only nbd");
        }
        if (flags.operands().size() != 2) {
            throw new CommandException("Expecting one image file name");
        }
        return serve(in, flags.operands().get(1));
    }

    private void accept(String flag, Flags flags) throws CommandException {
        switch (flag) {
            case "-f" -> disks = disks.withFormat(DiskArguments.format(flags.value()));
            case "-U" -> {
                disks = disks.withForceShare(true);
                readOnly = true;
            }
            case "-r" -> readOnly = true;
            case "-l" -> {
                disks = disks.withSnapshot(DiskArguments.snapshot(flags.value()));
                readOnly = true;
            }
            case "-T" -> {
                CacheMode mode = CacheArgument.parse(flags.value(), "Invalid cache mode: " + flags.value());
                disks = disks.withCacheMode(mode);
                server = server.withDurableWrites(mode.durableWrites());
            }
            case "--discard" -> discards = discards(flags.value());
            case "--detect-zeroes" -> detectZeroes = detectZeroes(flags.value());
            case "-b" -> bind = flags.value();
            case "-p" -> port = ListenAddress.port(flags.value());
            case "-t" -> {} // as qemu-nbd's: this server stays in any case
            case "-k" -> socket = flags.value();
            case "-x" -> server = checked(() -> server.withExportName(flags.value()));
            case "-D" -> server = checked(() -> server.withDescription(flags.value()));
            case "-e" ->
                server = server.withMaxConnections(count("--max-connections", flags.value(), Integer.MAX_VALUE));
            case "--engine" -> {
                Engine engine = EngineArgument.parse(flags.value());
                disks = disks.withEngine(engine);
                server = server.withEngine(engine);
            }
            case "--max-inflight" ->
                server = server.withMaxInflight(count("--max-inflight", flags.value(), NbdOptions.MAX_INFLIGHT));
            case "--no-structured-replies" -> server = server.withStructuredReplies(false);
            case "--http" -> throw new CommandException("serve --http is not implemented yet");
            default -> throw new CommandException("serve " + flag + " is not implemented yet");
        }
    }

    private int serve(Invocation in, String image) throws CommandException, IOException, InterruptedException {
        if (detectZeroes == DetectZeroes.UNMAP && !discards) {
            throw new CommandException(
                    "setting detect-zeroes to unmap is not allowed without setting discard operation to unmap");
        }
        if (socket != null && bind != null) {
            throw new CommandException("--socket and --bind exclude each other");
        }
        if (socket != null) {
            server = server.withAddress(
                    UnixDomainSocketAddress.of(in.path(socket).toAbsolutePath()));
        } else {
            server = server.withAddress(ListenAddress.parse(bind == null ? "127.0.0.1" : bind, port));
        }
        server = server.withReadOnly(readOnly).withDiscards(discards).withLog(in::warn);
        disks = disks.withWritable(!readOnly)
                .withPunchHoles(discards)
                .withDetectZeroes(detectZeroes)
                .withWarnings(line -> in.warn("warning: ".concat(line)));
        CountDownLatch stop = new CountDownLatch(1);
        try (Disk disk = DiskArguments.open(in, image, disks);
                NbdServer running = NbdServer.start(disk, server);
                CtrlC signal = new CtrlC(stop::countDown)) {
            greet(in.out(), image, disk, running.uri());
            while (!signal.pressed()) {
                stop.await();
            }
        }
        in.out().println("stopped");
        return 0;
    }

    private static void greet(PrintStream out, String image, Disk disk, String uri) {
        String quoted = "'" + uri.replace("'", "'\\''") + "'";
        String kind = disk.isWritable() ? ", writable) at" : ", read-only) at";
        out.println("Serving " + image + " (" + SizeText.of(disk.sizeBytes()) + kind);
        out.println("  " + uri);
        out.println("Connect with");
        out.println("  nbdinfo " + quoted);
        out.println("  nbdcopy --connections=4 " + quoted + " copy.raw");
        out.println("  qemu-img convert -p -f raw -O qcow2 " + quoted + " copy.qcow2");
        String temporary = disk.isWritable() ? "" : "snapshot=on,";
        out.println("  qemu-system-x86_64 -drive format=raw,if=virtio," + temporary + "file=" + quoted);
        out.println("Ctrl-C stops.");
        out.flush();
    }

    private static boolean discards(String name) throws CommandException {
        return switch (name) {
            case "unmap", "on" -> true;
            case "ignore", "off" -> false;
            default -> throw new CommandException("Invalid discard mode '" + name + "'");
        };
    }

    private static DetectZeroes detectZeroes(String name) throws CommandException {
        return switch (name) {
            case "off" -> DetectZeroes.OFF;
            case "on" -> DetectZeroes.ON;
            case "unmap" -> DetectZeroes.UNMAP;
            default -> throw new CommandException("Invalid detect-zeroes mode '" + name + "'");
        };
    }

    private static int count(String flag, String text, int most) throws CommandException {
        int count;
        try {
            count = Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new CommandException(flag + " '" + text + "' is not a number", e);
        }
        if (count < 1) {
            throw new CommandException(flag + " must be 1 or more");
        }
        if (count > most) {
            throw new CommandException(flag + " must be " + most + " or less");
        }
        return count;
    }

    private interface Change {
        NbdOptions apply();
    }

    private static NbdOptions checked(Change change) throws CommandException {
        try {
            return change.apply();
        } catch (IllegalArgumentException e) {
            throw new CommandException(String.valueOf(e.getMessage()), e);
        }
    }
}
