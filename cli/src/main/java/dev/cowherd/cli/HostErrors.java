package dev.cowherd.cli;

import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** The host's words for failures that Java reports as classes. */
final class HostErrors {
    private HostErrors() {}

    static String reasonOf(FileSystemException e) {
        return switch (e) {
            case NoSuchFileException missing -> "No such file or directory";
            case AccessDeniedException denied -> "Permission denied";
            case FileAlreadyExistsException exists -> "File exists";
            default -> e.getReason() == null ? "input/output error" : e.getReason();
        };
    }
}
