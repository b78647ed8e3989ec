"""Modules that most scripts use: they are imported when the image is built, so that a script gets them for nothing."""

# ruff: noqa: F401
import abc, argparse, array, ast, asyncio, base64, binascii, bisect, calendar, cmath, codecs, collections
import collections.abc, colorsys, configparser, contextlib, contextvars, copy, copyreg, csv, dataclasses, datetime
import decimal, difflib, dis, email, email.message, enum, errno, fnmatch, fractions, functools, gc, getopt, gettext
import glob, graphlib, gzip, hashlib, heapq, hmac, html, html.parser, importlib, importlib.util, inspect, io, ipaddress
import itertools, json, keyword, linecache, locale, logging, marshal, math, mimetypes, numbers, operator, os, os.path
import pathlib, pickle, pkgutil, platform, pprint, queue, quopri, random, re, reprlib, secrets, select, selectors, shlex
import shutil, signal, socket, sqlite3, stat, statistics, string, string.templatelib, stringprep, struct, subprocess
import sys, tempfile, textwrap, threading, time, timeit, tokenize, traceback, types, typing, unicodedata, unittest
import urllib.error, urllib.parse, urllib.request, uuid, warnings, weakref, xml.etree.ElementTree, zipfile, zlib
import zoneinfo
import concurrent.futures, encodings.ascii, encodings.cp1252, encodings.idna, encodings.latin_1, encodings.utf_16
import encodings.utf_8_sig, http, http.client, importlib.metadata, importlib.resources, json.tool, urllib
import xml.dom.minidom, xml.sax.saxutils
