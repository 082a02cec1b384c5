package dev.cowherd.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One version of QEMU's image tools: makes, fills and reads images for tests.
 *
 * <p>Every method but {@link #run} fails the test when the tool does not succeed.
 */
public final class QemuImg {
    private final Path img;
    private final Path io;

    private QemuImg(Path img, Path io) {
        this.img = img;
        this.io = io;
    }

    /**
     * QEMU 10, the reference for output.
     *
     * @return its tools
     * @throws AssertionError if they are not there
     */
    public static QemuImg v10() {
        return new QemuImg(Peers.qemu10("qemu-img"), Peers.qemu10("qemu-io"));
    }

    /**
     * QEMU 7.2, the system's.
     *
     * @return its tools
     * @throws AssertionError if they are not there
     */
    public static QemuImg v7() {
        return new QemuImg(Peers.system("qemu-img"), Peers.system("qemu-io"));
    }

    /**
     * Runs {@code qemu-img}, whatever its exit code.
     *
     * @param arguments as on its command line
     * @return how it ended
     */
    public Ran run(String... arguments) {
        return run(List.of(arguments));
    }

    /**
     * Runs {@code qemu-img}, whatever its exit code.
     *
     * @param arguments as on its command line
     * @return how it ended
     */
    public Ran run(List<String> arguments) {
        List<String> command = new ArrayList<>(List.of(img.toString()));
        command.addAll(arguments);
        return Processes.run(command);
    }

    /**
     * Creates a QCOW2 image.
     *
     * @param image where
     * @param size as {@code qemu-img create} takes it, such as {@code 16M}
     * @param options more of its flags, such as {@code -o compat=0.10}
     */
    public void create(Path image, String size, String... options) {
        List<String> arguments = new ArrayList<>(List.of("create", "-q", "-f", "qcow2"));
        arguments.addAll(List.of(options));
        arguments.addAll(List.of(image.toString(), size));
        run(arguments).orFail();
    }

    /**
     * What a guest sees in an image, chain and all, as this QEMU reads it.
     *
     * @param image the image
     * @param options more flags of {@code qemu-img convert}, such as {@code -l name}
     * @return every byte of the disk
     */
    public byte[] bytesOf(Path image, String... options) {
        Path raw = image.resolveSibling(image.getFileName() + "." + System.nanoTime() + ".expected");
        try {
            convert(image, raw, options);
            return Files.readAllBytes(raw);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            delete(raw);
        }
    }

    /**
     * Converts an image, to raw unless the options hold {@code -O}.
     *
     * @param source the image
     * @param target the file to make
     * @param options more flags of {@code qemu-img convert}
     */
    public void convert(Path source, Path target, String... options) {
        List<String> arguments = new ArrayList<>(List.of("convert"));
        List<String> given = List.of(options);
        if (!given.contains("-O")) {
            arguments.addAll(List.of("-O", "raw"));
        }
        arguments.addAll(given);
        arguments.addAll(List.of(source.toString(), target.toString()));
        run(arguments).orFail();
    }

    /**
     * Runs {@code qemu-io} commands on a QCOW2 image, all in one process.
     *
     * @param image the image
     * @param commands such as {@code write -P 0x5a 0 64k}
     */
    public void io(Path image, List<String> commands) {
        ioOn(List.of("-f", "qcow2"), image, commands);
    }

    /**
     * Runs {@code qemu-io} commands, all in one process.
     *
     * @param flags flags of {@code qemu-io} itself, such as {@code -f raw}
     * @param image the image
     * @param commands such as {@code discard 0 64k}
     * @throws AssertionError if a command reports an error, even where {@code qemu-io} exits with 0
     */
    public void ioOn(List<String> flags, Path image, List<String> commands) {
        List<String> command = new ArrayList<>(List.of(io.toString()));
        command.addAll(flags);
        for (String one : commands) {
            command.add("-c");
            command.add(one);
        }
        command.add(image.toString());
        Ran ran = Processes.run(command).orFail();
        if (ran.out().contains("failed") || ran.err().contains("failed")) {
            throw new AssertionError(String.join(" ", command) + "\n" + ran.out() + ran.err());
        }
    }

    private static void delete(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
