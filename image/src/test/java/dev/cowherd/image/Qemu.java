package dev.cowherd.image;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Makes images with the installed qemu-img and qemu-io; the full matrix of kinds is the test kit's. */
final class Qemu {
    private final Path folder;

    Qemu(Path folder) {
        this.folder = folder;
    }

    Path path(String name) {
        return folder.resolve(name);
    }

    /** A file of random bytes. */
    byte[] random(String name, int length, long seed) throws IOException {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        Files.write(path(name), bytes);
        return bytes;
    }

    /** A file of bytes that compress well, each cluster differently. */
    byte[] compressible(String name, int length, long seed) throws IOException {
        byte[] bytes = new byte[length];
        Random random = new Random(seed);
        for (int at = 0; at < length; at += 16) {
            bytes[at] = (byte) random.nextInt();
            bytes[at + 7] = (byte) (at >>> 12);
        }
        Files.write(path(name), bytes);
        return bytes;
    }

    Path img(String name, String... arguments) throws IOException, InterruptedException {
        run("qemu-img", arguments);
        return path(name);
    }

    void io(String name, String... commands) throws IOException, InterruptedException {
        List<String> arguments = new ArrayList<>();
        for (String command : commands) {
            arguments.add("-c");
            arguments.add(command);
        }
        arguments.add(name);
        run("qemu-io", arguments.toArray(String[]::new));
    }

    byte[] raw(String name) throws IOException, InterruptedException {
        run("qemu-img", "convert", "-O", "raw", name, name + ".raw");
        return Files.readAllBytes(path(name + ".raw"));
    }

    String run(String program, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(program));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int exit = process.waitFor();
        if (exit != 0) {
            throw new IOException(command + " ended with " + exit + ": " + output);
        }
        return output;
    }

    /** A raw file's bytes as an image of compressed clusters, with one more option of its creation. */
    Path compressed(String raw, String option) throws Exception {
        String image = raw.replace(".raw", ".qcow2");
        return img(image, "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", option, raw, image);
    }
}
